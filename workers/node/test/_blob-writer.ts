/** Puts blobs of many sizes, several at once, for ever, and prints the id of each that was acknowledged. */
import { createEnv } from '@_all_docs/worker-node';
import { randomBytes } from 'node:crypto';

const [cache = '', registry = ''] = process.argv.slice(2);
const env = await createEnv({ cache, registry, origin: registry });

async function* pieces(bytes: Buffer): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 16_384) {
    yield bytes.subarray(at, at + 16_384);
    if (at % 131_072 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

console.log('ready');
await Promise.all(
  Array.from({ length: 6 }, async (_, worker) => {
    for (let i = worker; ; i++) {
      const size = [0, 700, 5_000, 134_000, 262_144, 1_500_000, 4_000_000][i % 7] as number;
      const { hash } = await env.blobs.put(pieces(randomBytes(size)), { compress: i % 11 === 0 });
      process.stdout.write(`${hash.id}\n`);
    }
  }),
);
