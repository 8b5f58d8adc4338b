import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { noise } from '../../../test/contract/_bytes.ts';
import { DerivePool } from '../src/derive-pool.js';

/** As it is built: a thread takes no TypeScript of ours. */
const SCRIPT = new URL('../dist/derive-worker.js', import.meta.url);
const IDLE_MS = 5;

/** Large enough, packed, to be worth a thread. */
const document = {
  name: 'a',
  versions: { '1.0.0': { dist: { tarball: 'https://registry.example.test/a/-/a-1.0.0.tgz' } } },
  readme: Buffer.from(noise(40_000)).toString('base64'),
};
const source = gzipSync(JSON.stringify(document));
const options = { name: 'a', form: 'full', base: 'http://replica.test/npm/' } as const;

describe('a thread that had nothing to do', () => {
  let pool: DerivePool;
  afterEach(() => pool.close());

  it('is given no work while it is let go', async () => {
    pool = new DerivePool(1, IDLE_MS, SCRIPT);
    for (let round = 0; round < 20; round++) {
      const made = await pool.derive(source, 'gzip', options);
      expect(JSON.parse(gunzipSync(made).toString()).versions['1.0.0'].dist.tarball).toMatch(/^http:\/\/replica\.test/);
      // Runs right behind the timer that lets the thread go.
      await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    }
  });
});
