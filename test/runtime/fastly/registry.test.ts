import { registryContract } from '../../contract/registry.ts';
import { startWorker } from '../../servers/fastly.ts';
import { withViceroy } from './_with-viceroy.ts';

await withViceroy(() =>
  registryContract({
    name: 'Fastly Compute, in Viceroy',
    async start({ url }) {
      const running = await startWorker(url);
      return { url: `${running.url}/npm`, stop: running.stop };
    },
  }),
);
