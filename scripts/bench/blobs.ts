/**
 * What blobs cost beside plain files, and their hash beside SHA-512, in one run: interleaved rounds per size, each
 * operation beside its peer. Only ratios within a round say something; median and min-max are of those.
 *
 *   node scripts/bench/blobs.ts [--rounds 5] [--scale 1]      TMPDIR says which file system
 */
import { Hash, Store } from '@_all_docs/content';
import { createNodeHashers, FsBlobBackend } from '@_all_docs/worker-node';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { spread } from './_measure.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, scale: { type: 'string', default: '1' } },
});
/** As a socket hands them over. */
const PIECE = 64 * 1024;
const SIZES: [name: string, bytes: number, count: number][] = [
  ['5 KB', 5_000, 1_000],
  ['134 KB', 134_000, 300],
  ['10 MB', 10_000_000, 15],
];
const hashers = createNodeHashers();

/** Microseconds of each operation. */
type Times = number[];
/** What is measured, each beside the peer whose ratio is given. */
const PEERS: Record<string, string> = {
  'hash: blake3': 'hash: sha512',
  'put: store': 'put: write + rename, at once',
  'put: store, integrity checked': 'put: write + rename + sha512, at once',
  'put: write + rename, later': 'put: write + rename, at once',
  'get: store, first': 'get: read, at once',
  'get: store': 'get: read, at once',
  'get: read, later': 'get: read, at once',
  'has: store': 'has: stat',
};

for (const [name, bytes, count] of SIZES) {
  const rounds: Map<string, Times>[] = [];
  // The first round warms up and is not counted.
  for (let round = 0; round <= Number(values.rounds); round++) {
    const times = await measureRound(bytes, Math.max(5, Math.round(count * Number(values.scale))));
    if (round > 0) rounds.push(times);
  }
  report(name, bytes, rounds);
}

async function measureRound(bytes: number, count: number): Promise<Map<string, Times>> {
  const root = mkdtempSync(join(tmpdir(), 'all-docs-blobs-'));
  for (const folder of ['plain', 'later', 'summed']) mkdirSync(join(root, folder));
  // As in a store that is in use: the first blobs of an empty one make its 256 folders.
  for (let i = 0; i < 256; i++) mkdirSync(join(root, 'blobs', i.toString(16).padStart(2, '0')), { recursive: true });
  try {
    const base = randomBytes(bytes);
    /** Content of its own for every number. */
    const content = (i: number) => {
      const own = Buffer.from(base);
      own.writeUInt32LE(i, 0);
      return own;
    };
    const integrity = (i: number) => `sha512-${createHash('sha512').update(content(i)).digest('base64')}`;
    const checked = Array.from({ length: count }, (_, i) => integrity(count + i));
    const store = () => new Store({ backend: new FsBlobBackend(root), hashers });
    const [own, times] = [store(), new Map<string, Times>()];
    const file = (folder: string, i: number) => join(root, folder, `${i}`);
    const put = (i: number, path: string, body: Buffer) => {
      writeFileSync(join(root, `${i}.tmp`), body, { flag: 'wx' });
      renameSync(join(root, `${i}.tmp`), path);
    };
    const hashes = await Promise.all(Array.from({ length: count }, (_, i) => addressOf(content(i))));
    const run = async (title: string, work: (i: number) => unknown, prepare?: (i: number) => unknown) => {
      const each: Times = [];
      for (let i = 0; i < count; i++) {
        await prepare?.(i);
        const start = performance.now();
        await work(i);
        each.push((performance.now() - start) * 1_000);
      }
      times.set(title, each);
    };
    let body = base;
    const fresh = (i: number) => {
      body = content(i);
    };
    await run('hash: sha512', () => hashOf('sha512', body), fresh);
    await run('hash: blake3', () => hashOf('blake3', body), fresh);
    await run('put: write + rename, at once', (i) => put(i, file('plain', i), body), fresh);
    await run('put: store', () => own.put(pieces(body)), fresh);
    await run(
      'put: write + rename, later',
      async (i) => {
        await writeFile(join(root, `${i}.tmp`), body, { flag: 'wx' });
        await rename(join(root, `${i}.tmp`), file('later', i));
      },
      fresh,
    );
    await run(
      'put: write + rename + sha512, at once',
      (i) => {
        createHash('sha512').update(body).digest();
        put(i, file('summed', i), body);
      },
      fresh,
    );
    await run(
      'put: store, integrity checked',
      (i) => own.put(pieces(body), { integrity: checked[i] }),
      (i) => fresh(count + i),
    );
    await run('get: read, at once', (i) => readFileSync(file('plain', i)));
    const reading = store();
    const get = async (i: number) => {
      for await (const _ of (await reading.get(hashes[i] as Hash))?.stream() ?? []);
    };
    await run('get: store, first', get);
    await run('get: store', get);
    await run('get: read, later', (i) => readFile(file('plain', i)));
    await run('has: stat', (i) => existsSync(file('plain', i)));
    await run('has: store', (i) => own.has(hashes[i] as Hash));
    return times;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function* pieces(bytes: Buffer): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE);
}

async function hashOf(algorithm: 'blake3' | 'sha512', bytes: Buffer): Promise<Uint8Array> {
  const hasher = await hashers.create(algorithm);
  for (let at = 0; at < bytes.length; at += PIECE) await hasher.update(bytes.subarray(at, at + PIECE));
  return hasher.digest();
}

async function addressOf(bytes: Buffer): Promise<Hash> {
  return new Hash(await hashOf('blake3', bytes));
}

/** A line per operation: throughput and times, the median of rounds each, and the ratio of the median times. */
function report(name: string, bytes: number, rounds: Map<string, Times>[]): void {
  const line = (...columns: string[]) => console.log(columns.map((text, i) => text.padEnd(i === 0 ? 40 : 24)).join(''));
  console.log('');
  line(name, 'MB/s', 'p50 µs', 'p99 µs', 'time beside its peer');
  for (const title of rounds[0]?.keys() ?? []) {
    const all = rounds.map((round) => round.get(title) ?? []);
    const peer = PEERS[title];
    const ratios = rounds.map((round) => at(round.get(title) ?? [], 0.5) / at(round.get(peer ?? '') ?? [], 0.5));
    line(
      title,
      title.startsWith('has:') ? '' : spread(all.map((times) => bytes / mean(times))),
      spread(
        all.map((times) => at(times, 0.5)),
        1,
      ),
      spread(all.map((times) => at(times, 0.99))),
      peer ? `${spread(ratios, 2)} of ${peer}` : '',
    );
  }
}

function mean(times: Times): number {
  return times.reduce((sum, time) => sum + time, 0) / times.length;
}

function at(times: Times, share: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
