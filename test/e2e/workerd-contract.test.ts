import { registryContract } from '../contract/registry.ts';
import { startWorkerd } from './workerd.ts';

registryContract({
  name: 'Cloudflare, workerd',
  start: async (fake) => {
    const worker = await startWorkerd({ REGISTRY: fake.url, ORIGIN: fake.url, FOLLOW: 'off' });
    return { url: `${worker.url}/npm`, stop: worker.stop };
  },
  lacks: {
    'cross-request single flight': 'no request may wait for another one’s answer on Workers',
    'raw paths': 'the platform resolves dots in paths before the worker sees them',
  },
});
