import { BlobIndex } from '@_all_docs/content';
import {
  type ImportEvent,
  importReplica,
  openBlobs,
  openStorage,
  ReplicaSource,
  systemClock,
} from '@_all_docs/worker-node';
import { expect, it } from 'vitest';
import { collect } from '../../../test/contract/_bytes.ts';
import { temporaryDirectory } from './_directory.ts';

/** One of each kind of row that is true of one directory only, or is derived. */
const OWN = [
  'v1:absent:npm:entry:61',
  'v1:absent:npm:total',
  'v1:budget:npm:2026-01',
  'v1:derived-ledger:npm:entry:61:62',
  'v1:flight:61',
  'v1:owner:61',
  'v1:pulled:npm:age:000000000000005:61',
  'v1:pulled:npm:entry:61',
  'v1:pulled:npm:total',
  'v1:resource-ledger:npm:total',
];
const LASTING = ['v1:outcome:npm:61', 'v1:pivots:npm'];
const TARBALL = 'v1:version:npm:61:612d312e302e302e74677a';

async function* text(content: string): AsyncIterable<Uint8Array> {
  yield new TextEncoder().encode(content);
}

async function replica() {
  const storage = await openStorage(await temporaryDirectory(), { kind: 'sqlite' });
  await storage.ordered.commit([...OWN, ...LASTING].map((key) => ({ key, value: '[1,5,"x"]' })));
  for (const key of ['v1:packument:npm:61', 'v1:derived:npm:61:62', 'v1:resource:npm:61'])
    await storage.write(key, { body: new Uint8Array(3), metadata: { storedAt: 5, encoding: 'identity', size: 3 } });
  const { store } = await openBlobs(storage.cachePath);
  const index = new BlobIndex({ ordered: storage.ordered, store, clock: systemClock });
  const row = { version: '1.0.0', integrity: 'sha512-x' };
  const blob = await store.put(text('a tarball'));
  await index.link(TARBALL, row, blob);
  await storage.ordered.commit([
    {
      key: TARBALL,
      value: JSON.stringify({ ...(await index.get(TARBALL)), accessedAt: 7, hits: 2 }),
    },
  ]);
  await storage.close();
  return { path: storage.cachePath, hash: blob.hash };
}

it('an import leaves out what is derived or true of one directory only', async () => {
  const { path } = await replica();
  const target = await openStorage(await temporaryDirectory());
  const source = new ReplicaSource(path);
  expect(await importReplica(source, target)).toMatchObject({ copied: 1, rows: LASTING.length });
  source.close();
  expect(await collect(target.list())).toEqual(['v1:packument:npm:61']);
  const keys = (await collect(target.ordered.list({ start: 'v1:', end: 'v2' }))).map(([key]) => key);
  expect(keys.filter((key) => !key.startsWith('v1:blob:'))).toEqual([...LASTING, 'v1:store', TARBALL].sort());
  await target.close();
});

it('a tarball comes with what its row says, counted once and pinned, without what eviction noted', async () => {
  const { path, hash } = await replica();
  const target = await openStorage(await temporaryDirectory());
  const { store } = await openBlobs(target.cachePath);
  const index = new BlobIndex({ ordered: target.ordered, store, clock: systemClock });
  for (const held of [0, 1]) {
    const source = new ReplicaSource(path);
    const events: ImportEvent[] = [];
    const { tarballs } = await importReplica(source, target, { report: (event) => events.push(event) });
    source.close();
    expect(tarballs).toMatchObject({ copied: 1 - held, held, damaged: 0 });
    expect(events.at(-1)).toEqual({ type: 'progress', done: 4, total: 4, errors: 0 });
  }
  const row = { blob: hash.id, size: 9, at: expect.any(Number), version: '1.0.0', integrity: 'sha512-x', pinned: true };
  expect(await index.get(TARBALL)).toEqual(row);
  expect(await index.blob(hash)).toMatchObject({ refs: 1, pinned: 1, size: 9 });
  expect(String(Buffer.from((await (await store.get(hash))?.bytes()) ?? []))).toBe('a tarball');
  await target.close();
});

it('a tarball that the target has linked to another blob later stays', async () => {
  const { path } = await replica();
  const target = await openStorage(await temporaryDirectory());
  const { store } = await openBlobs(target.cachePath);
  const index = new BlobIndex({
    ordered: target.ordered,
    store,
    clock: { ...systemClock, now: () => Date.now() + 60_000 },
  });
  const other = await store.put(text('another tarball'));
  await index.link(TARBALL, { version: '1.0.0' }, other);
  const source = new ReplicaSource(path);
  expect((await importReplica(source, target)).tarballs).toMatchObject({ copied: 0, newer: 1 });
  source.close();
  expect((await index.get(TARBALL))?.blob).toBe(other.hash.id);
  await target.close();
});
