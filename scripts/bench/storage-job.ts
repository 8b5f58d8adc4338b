/** One job of storage.ts: `node … fill|list|ls|read KIND PATH ENTRIES BYTES`. Prints CPU microseconds per entry, start-up left out. */
import { createPackumentKey, createPackumentPrefix } from '@_all_docs/cache';
import { NodeStorageDriver, SqliteStorageDriver } from '@_all_docs/worker-node';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import cacache from 'cacache';

type Driver = NodeStorageDriver | SqliteStorageDriver;

/** As many writes at once as a bootstrap has requests. */
const WIDTH = 64;
const WARM_UP = 20_000;
/** Reads that are timed, at most. */
const READS = 50_000;
/** Keys that are listed, at least: a small store is listed often enough for its cost to show. */
const LISTED = 300_000;
const ORIGIN = 'https://registry.example.test/';
const prefix = createPackumentPrefix('packument', ORIGIN);
const [job = '', kind = '', path = '', entries = '0', bytes = '2048'] = process.argv.slice(2);
const count = Number(entries);
const noise = randomBytes(Number(bytes) + 4096);

const jobs: Record<string, (driver: Driver, count: number) => Promise<Record<string, number>>> = {
  fill: async (driver, count) => ({ write: await perEntry(count, () => fill(driver, count)) }),
  list: async (driver, count) => ({ list: await perListedKey(driver, count) }),
  ls: async (driver, count) => ({ list: await perEntry(count, () => ls(driver.cachePath, count)) }),
  read: async (driver, count) => {
    const step = Math.max(1, Math.floor(count / READS));
    const inOrder = Array.from({ length: Math.min(count, READS) }, (_, i) => i);
    const random = inOrder.map((i) => i * step).sort(() => Math.random() - 0.5);
    return {
      'read in order': await perEntry(inOrder.length, () => read(driver, inOrder)),
      'read at random': await perEntry(random.length, () => read(driver, random)),
      list: await perListedKey(driver, count),
    };
  },
};

const small = open(mkdtempSync(join(dirname(path), 'warm-')));
await fill(small, WARM_UP);
if (job !== 'fill') await jobs[job]?.(small, WARM_UP);
await small.close();
rmSync(small.cachePath, { recursive: true, force: true });

const driver = open(path);
await driver.openDirectory();
console.log(JSON.stringify(await jobs[job]?.(driver, count)));
await driver.close();

function open(path: string): Driver {
  return kind === 'sqlite' ? new SqliteStorageDriver(path) : new NodeStorageDriver(path);
}

async function perEntry(count: number, work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

async function perListedKey(driver: Driver, count: number): Promise<number> {
  const passes = Math.ceil(LISTED / count);
  return perEntry(passes * count, async () => {
    for (let pass = 0; pass < passes; pass++) await list(driver, count);
  });
}

function keyOf(i: number): string {
  return createPackumentKey(`package-${String(i).padStart(8, '0')}`, ORIGIN);
}

async function fill(driver: Driver, count: number): Promise<void> {
  let next = 0;
  const write = async () => {
    for (let i = next++; i < count; i = next++) {
      const body = noise.subarray(i % 4096, (i % 4096) + Number(bytes));
      const metadata = { storedAt: i, encoding: 'gzip' as const, size: body.length, etag: `"${i}"`, rev: `1-${i}` };
      await driver.write(keyOf(i), { body, metadata });
    }
  };
  await Promise.all(Array.from({ length: WIDTH }, write));
}

async function list(driver: Driver, count: number): Promise<void> {
  let seen = 0;
  for await (const key of driver.list(prefix)) seen += key.length > 0 ? 1 : 0;
  expectAll(seen, count);
}

async function ls(path: string, count: number): Promise<void> {
  const keys = Object.keys(await cacache.ls(path)).filter((key) => key.startsWith(prefix));
  expectAll(keys.length, count);
}

async function read(driver: Driver, indices: readonly number[]): Promise<void> {
  let seen = 0;
  for (const i of indices) if (await driver.read(keyOf(i))) seen += 1;
  expectAll(seen, indices.length);
}

function expectAll(seen: number, count: number): void {
  if (seen !== count) throw new Error(`${seen} of ${count} entries`);
}
