import { Cache, type EntryMetadata } from '@_all_docs/cache';
import { PartitionCheckpoint } from '@_all_docs/checkpoint';
import {
  type DirectoryDriver,
  type ImportEvent,
  importReplica,
  openStorage,
  ReplicaSource,
  type StoreKind,
} from '@_all_docs/worker-node';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import cacache from 'cacache';
import { afterEach, describe, expect, it } from 'vitest';
import { byBytes, codeOf, collect, noise, sameBytes } from '../../../test/contract/_bytes.ts';
import { temporaryDirectory } from './_directory.ts';

const open = new Set<DirectoryDriver | ReplicaSource>();
afterEach(async () => {
  for (const each of open) await each.close();
  open.clear();
});

async function storage(kind: StoreKind, path?: string): Promise<DirectoryDriver> {
  const driver = await openStorage(path ?? (await temporaryDirectory()), { kind });
  open.add(driver);
  return driver;
}

function sourceOf(path: string): ReplicaSource {
  const source = new ReplicaSource(path);
  open.add(source);
  return source;
}

const KEYS = ['v1:packument:npm:61', 'v1:packument:npm:7a', 'v1:partition:npm::', 'é', '\ue000', '😀', 'Z', 'a'];

function entryOf(i: number, storedAt = 1_000 + i, size = 100 + 37 * i) {
  const metadata: EntryMetadata = { storedAt, encoding: 'gzip', size, etag: `"${i}"`, rev: `${i}-a`, modified: 'then' };
  return { body: noise(size, i + storedAt), metadata };
}

async function fill(driver: DirectoryDriver, keys: readonly string[] = KEYS): Promise<void> {
  await Promise.all(keys.map((key, i) => driver.write(key, entryOf(i))));
}

/** A closed replica of a kind, with these keys. */
async function replica(kind: StoreKind, keys: readonly string[] = KEYS): Promise<string> {
  const driver = await openStorage(await temporaryDirectory(), { kind });
  await fill(driver, keys);
  await driver.close();
  return driver.cachePath;
}

async function expectSame(driver: DirectoryDriver, from: string, keys: readonly string[] = KEYS): Promise<void> {
  const before = await openStorage(from);
  open.add(before);
  expect(await collect(driver.list())).toEqual([...keys].sort(byBytes));
  for (const key of keys) {
    const [was, is] = [await before.read(key), await driver.read(key)];
    expect(is?.metadata, key).toEqual(was?.metadata);
    expect(sameBytes(is?.body, was?.body as Uint8Array), key).toBe(true);
  }
}

/** Every file of a directory by its bytes. */
function fingerprintOf(path: string): Map<string, string> {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  return new Map(
    files.map(({ parentPath, name }) => {
      const file = join(parentPath, name);
      return [file, createHash('sha256').update(readFileSync(file)).digest('hex')];
    }),
  );
}

const OTHER = { cacache: 'sqlite', sqlite: 'cacache' } as const;

describe.each(['cacache', 'sqlite'] as const)('importReplica from %s', (kind) => {
  it.each(['cacache', 'sqlite'] as const)(
    'to %s: every entry, its metadata and digest; the source as it was',
    async (to) => {
      const from = await replica(kind);
      const before = fingerprintOf(from);
      const target = await storage(to);
      const source = sourceOf(from);
      expect(source).toMatchObject({ kind, size: KEYS.length });
      const result = await importReplica(source, target);
      const bytes = KEYS.reduce((sum, _, i) => sum + entryOf(i).metadata.size, 0);
      expect(result).toMatchObject({ copied: KEYS.length, held: 0, newer: 0, damaged: 0, bytes });
      expect(fingerprintOf(from)).toEqual(before);
      await expectSame(target, from);
      if (to === 'cacache')
        expect(Object.keys(await cacache.ls(target.cachePath)).sort(byBytes)).toEqual([...KEYS].sort(byBytes));
    },
  );

  it('in the order of keys, in portions; stopped in between, it goes on without copying again', async () => {
    const keys = Array.from({ length: 700 }, (_, i) => `k${String(i).padStart(4, '0')}`);
    const from = await replica(kind, keys);
    const target = await storage(OTHER[kind]);
    const stop = new AbortController();
    const done: number[] = [];
    const report = (event: ImportEvent) => {
      if (event.type !== 'progress') return;
      done.push(event.done);
      expect(event.total).toBe(700);
      stop.abort(new Error('enough'));
    };
    await expect(importReplica(sourceOf(from), target, { signal: stop.signal, report })).rejects.toThrow('enough');
    expect(done).toEqual([256]);
    expect(await collect(target.list())).toEqual(keys.slice(0, 256));

    const second = await importReplica(sourceOf(from), target, {
      report: (event) => done.push((event as { done: number }).done),
    });
    expect(second).toMatchObject({ copied: 444, held: 256 });
    expect(done).toEqual([256, 256, 512, 700]);
    await expectSame(target, from, keys);
    expect(await importReplica(sourceOf(from), target)).toMatchObject({ copied: 0, held: 700, bytes: 0, rows: 0 });
  });

  it('a large body is a portion of its own', async () => {
    const driver = await openStorage(await temporaryDirectory(), { kind });
    const large = entryOf(1, 1, 20 * 1024 * 1024);
    await driver.write('a', entryOf(0));
    await driver.write('b', large);
    await driver.write('c', entryOf(2));
    await driver.close();
    const target = await storage(OTHER[kind]);
    const done: number[] = [];
    await importReplica(sourceOf(driver.cachePath), target, {
      report: (event) => done.push((event as { done: number }).done),
    });
    expect(done).toEqual([1, 2, 3]);
    expect(sameBytes((await target.read('b'))?.body, large.body)).toBe(true);
  });

  it('what the target has newer stays, what it has older is replaced', async () => {
    const from = await replica(kind);
    const target = await storage(OTHER[kind]);
    const [newer, older] = [entryOf(90, 5_000), entryOf(91, 5)];
    await target.write('a', newer);
    await target.write('Z', older);
    expect(await importReplica(sourceOf(from), target)).toMatchObject({ copied: KEYS.length - 1, newer: 1 });
    expect((await target.read('a'))?.metadata).toMatchObject({ storedAt: 5_000 });
    expect((await target.read('Z'))?.metadata).toMatchObject({ etag: '"6"' });
  });

  it('reads what another process writes as it was at the opening', async () => {
    const live = await storage(kind);
    await fill(live);
    const source = sourceOf(live.cachePath);
    await live.write('a', entryOf(77));
    await live.write('later', entryOf(78));
    const target = await storage(OTHER[kind]);
    expect(await importReplica(source, target)).toMatchObject({ copied: KEYS.length, damaged: 0 });
    expect((await target.head('a'))?.etag).toBe('"7"');
    expect(await target.has('later')).toBe(false);
  });

  it('reads what a killed process left in its log', async () => {
    const live = await storage(kind);
    await fill(live);
    const left = join(await temporaryDirectory(), 'left');
    cpSync(live.cachePath, left, { recursive: true });
    rmSync(join(left, 'index.sqlite-shm'));
    expect(existsSync(join(left, 'index.sqlite-wal'))).toBe(true);
    const target = await storage(OTHER[kind]);
    expect(await importReplica(sourceOf(left), target)).toMatchObject({ copied: KEYS.length });
  });

  it('says so when somebody begins to write to what nobody wrote to', async () => {
    const from = await replica(kind);
    const source = sourceOf(from);
    await (await storage(kind, from)).write('more', entryOf(50));
    const target = await storage(OTHER[kind]);
    expect(await codeOf(() => importReplica(source, target))).toBe('ERR_STORAGE_READ');
    expect(await collect(target.ordered.list({ start: 'v1:run:', end: 'v1:run;' }))).toEqual([]);
  });

  it('damaged and missing bodies are told and left out, and so are the marks', async () => {
    const driver = await openStorage(await temporaryDirectory(), { kind });
    await fill(driver);
    await driver.ordered.commit([
      { key: 'v1:run:61', value: '{"id":"a"}' },
      { key: 'v1:outcome:npm:61', value: '{}' },
    ]);
    const digests = await Promise.all(['a', 'Z'].map(async (key) => (await driver.head(key))?.digest as string));
    await driver.close();
    const from = driver.cachePath;
    if (kind === 'sqlite') {
      const database = new DatabaseSync(join(from, 'index.sqlite'));
      database.exec("UPDATE entries SET body = zeroblob(length(body)) WHERE key = 'a'");
      database.exec("UPDATE entries SET body = x'00' WHERE key = 'Z'");
      database.close();
    } else {
      const [a, z] = digests.map((digest) => contentPath(from, digest)) as [string, string];
      writeFileSync(a, Buffer.alloc(readFileSync(a).length));
      rmSync(z);
    }
    const before = fingerprintOf(from);
    const target = await storage(OTHER[kind]);
    const told: string[] = [];
    const report = (event: ImportEvent) => {
      if (event.type === 'error') told.push(`${event.code} ${event.key}`);
    };
    expect(await importReplica(sourceOf(from), target, { report })).toMatchObject({
      copied: KEYS.length - 2,
      damaged: 2,
      runs: 0,
    });
    expect(told.sort()).toEqual(['ERR_CORRUPT Z', 'ERR_CORRUPT a']);
    expect(fingerprintOf(from)).toEqual(before);
    expect(await target.ordered.get('v1:run:61')).toBeUndefined();
    expect(await target.ordered.get('v1:outcome:npm:61')).toBe('{}');
  });

  it('an empty replica is copied in no time', async () => {
    const target = await storage(OTHER[kind]);
    const driver = await openStorage(await temporaryDirectory(), { kind });
    await driver.close();
    expect(await importReplica(sourceOf(driver.cachePath), target)).toMatchObject({ copied: 0, rows: 0 });
  });
});

function contentPath(cache: string, digest: string): string {
  const hex = Buffer.from(digest.slice('sha512-'.length), 'base64').toString('hex');
  return join(cache, 'content-v2', 'sha512', hex.slice(0, 2), hex.slice(2, 4), hex.slice(4));
}

describe('rows beside the entries', () => {
  const ranges = (...pivots: (string | null)[]) =>
    pivots.slice(1).map((endKey, i) => ({ startKey: pivots[i] as string | null, endKey }));
  const runRow = (id: string, more = '') => ({
    key: `v1:run:${Buffer.from(id).toString('hex')}`,
    value: `{"id":"${id}"${more}}`,
  });

  it('runs with their marks, sets, and all others; not what belongs to one directory or process', async () => {
    const driver = await openStorage(await temporaryDirectory(), { kind: 'sqlite' });
    const list = new PartitionCheckpoint(new Cache({ driver }), 'list:one');
    await list.recordPartitions(ranges(null, 'm', null));
    await list.markComplete(0, { rows: 5 });
    await list.claim('owner', 0, 60_000);
    const own = new PartitionCheckpoint(new Cache({ driver }), 'set-1');
    await own.recordPartitions(ranges(null, null));
    const others = [
      { key: 'v1:outcome:npm:61', value: '{"kind":"absent"}' },
      { key: 'v1:pivots:npm', value: '["m"]' },
      { key: 'unheard:of', value: 'x' },
    ];
    const left = [
      { key: 'v1:owner:61', value: '1' },
      { key: 'v1:budget:2027-01', value: '7' },
      { key: 'entry:x', value: '{}' },
    ];
    await driver.ordered.commit([runRow('one'), ...others, ...left]);
    await driver.close();

    const target = await storage('cacache');
    const result = await importReplica(sourceOf(driver.cachePath), target);
    // The run, its set (current, list, two partitions), the other set (current, list, one partition), three others.
    expect(result).toMatchObject({ runs: 1, rows: 1 + 4 + 3 + 3 });
    const rows = new Map(await collect(target.ordered.list()));
    for (const { key, value } of [runRow('one'), ...others]) expect(rows.get(key)).toBe(value);
    for (const { key } of left) expect(rows.has(key), key).toBe(false);
    expect(rows.get('v1:store')).toBe('cacache');
    expect([...rows.values()].filter((value) => value.includes('lease'))).toEqual([]);
    const copied = new PartitionCheckpoint(new Cache({ driver: target }), 'list:one');
    expect((await copied.getProgress()).stats).toMatchObject({ total: 2, completed: 1, rows: 5 });
    expect((await copied.claim('another', 0, 60_000))?.record).toMatchObject({ startKey: 'm', endKey: null });
    expect((await new PartitionCheckpoint(new Cache({ driver: target }), 'set-1').getProgress()).stats.total).toBe(1);
  });

  it("a run that the target has by itself stays whole: no mark of the source's gets among its own", async () => {
    const make = async (driver: DirectoryDriver, more: string, ...splits: string[]) => {
      const list = new PartitionCheckpoint(new Cache({ driver }), 'list:one');
      await list.recordPartitions(ranges(null, null));
      let index = 0;
      for (const at of splits) index = (await list.split(index, at, { rows: 1 })).index;
      await list.markComplete(index, { rows: 1 });
      await driver.ordered.commit([runRow('one', more), { key: 'v1:pivots:npm', value: JSON.stringify(splits) }]);
    };
    const source = await openStorage(await temporaryDirectory(), { kind: 'sqlite' });
    await make(source, ',"startedAt":1', 'b', 'c', 'd');
    await source.close();
    const target = await storage('sqlite');
    await make(target, ',"startedAt":2', 'x');
    const before = await collect(target.ordered.list());
    expect(await importReplica(sourceOf(source.cachePath), target)).toMatchObject({ runs: 0, rows: 0 });
    expect(await collect(target.ordered.list())).toEqual(before);
  });
});

describe('a source that is no replica', () => {
  it.each<[string, string, (path: string) => void]>([
    ['nothing', 'ERR_CACHE_FOREIGN', (path) => rmSync(path, { recursive: true })],
    ['an empty directory', 'ERR_CACHE_FOREIGN', () => {}],
    ['a directory of something else', 'ERR_CACHE_FOREIGN', (path) => writeFileSync(join(path, 'x'), '')],
    ["npm's own cache", 'ERR_CACHE_FOREIGN', (path) => mkdirSync(join(path, 'index-v5'))],
    [
      'an index that is no database',
      'ERR_CACHE_FOREIGN',
      (path) => writeFileSync(join(path, 'index.sqlite'), 'x'.repeat(5_000)),
    ],
    ['an empty index', 'ERR_CACHE_FOREIGN', (path) => writeFileSync(join(path, 'index.sqlite'), '')],
    ["somebody else's database", 'ERR_CACHE_FOREIGN', (path) => database(path, 'CREATE TABLE rows (key, value)')],
    [
      'a newer version',
      'ERR_CACHE_NEWER',
      (path) => database(path, `PRAGMA application_id = ${0x5f61646f}; PRAGMA user_version = 99`),
    ],
  ])('%s', async (_title, code, make) => {
    const path = join(await temporaryDirectory(), 'source');
    mkdirSync(path);
    make(path);
    const before = existsSync(path) ? fingerprintOf(path) : undefined;
    expect(await codeOf(() => new ReplicaSource(path))).toBe(code);
    expect(existsSync(path) ? fingerprintOf(path) : undefined).toEqual(before);
  });

  it('a file', async () => {
    const file = join(await temporaryDirectory(), 'file');
    writeFileSync(file, '');
    expect(await codeOf(() => new ReplicaSource(file))).toBe('ERR_CACHE_FOREIGN');
  });

  function database(path: string, sql: string): void {
    const made = new DatabaseSync(join(path, 'index.sqlite'));
    made.exec(sql);
    made.close();
  }
});

describe('the kind of a directory', () => {
  it('is open as long as nothing is stored there', async () => {
    const path = await temporaryDirectory();
    await (await openStorage(path)).close();
    const second = await openStorage(path, { kind: 'sqlite' });
    expect(second.kind).toBe('sqlite');
    await second.close();
    const third = await openStorage(path, { kind: 'cacache' });
    await third.write('a', entryOf(1));
    await third.close();
    expect(await codeOf(() => openStorage(path, { kind: 'sqlite' }))).toBe('ERR_STORE_MISMATCH');
  });

  it('is settled where somebody else works', async () => {
    const first = await storage('cacache');
    expect(await codeOf(() => openStorage(first.cachePath, { kind: 'sqlite' }))).toBe('ERR_STORE_MISMATCH');
  });
});
