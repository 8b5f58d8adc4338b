import { env } from 'cloudflare:workers';
import { expect, it } from 'vitest';

it('every binding that wrangler.jsonc names is there, on the real engine', async () => {
  const bound = ['PACKUMENTS', 'BLOBS', 'INDEX', 'WORK_QUEUE', 'REPLICA', 'WORK'];
  expect(Object.keys(env)).toEqual(expect.arrayContaining(bound));
  expect(navigator.userAgent).toBe('Cloudflare-Workers');
});
