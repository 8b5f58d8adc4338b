import { createPackumentKey, MemoryOrderedStore, MemoryStorageDriver } from '@_all_docs/cache';
import { BlobIndex, Hash, MemoryBlobBackend, Store } from '@_all_docs/content';
import { clearPulled, PULLED_PREFIX } from '@_all_docs/registry';
import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { collect } from '../../../test/contract/_bytes.ts';
import { Ledger } from '../src/ledger.ts';

const REGISTRIES = ['npm', 'https%3A%2F%2Fregistry.example.test'];
const clock = { now: () => 1_000, sleep: async () => {} };
const hex = (text: string) => Buffer.from(text).toString('hex');

async function replica() {
  const storage = new MemoryStorageDriver();
  const ordered = new MemoryOrderedStore();
  const hashers = {
    address: 'sha256' as const,
    create: () => {
      const hash = createHash('sha256');
      return { update: (bytes: Uint8Array) => void hash.update(bytes), digest: () => hash.digest() };
    },
  };
  const store = new Store({ backend: new MemoryBlobBackend(clock), hashers });
  const index = new BlobIndex({ ordered, store, clock });
  const write = async (key: string) => {
    const body = new TextEncoder().encode(key);
    await storage.write(key, { body, metadata: { storedAt: 5, encoding: 'identity', size: body.length } });
    const { digest, storedAt } = (await storage.head(key)) ?? {};
    return `${digest} ${storedAt}`;
  };
  return { storage, ordered, index, write };
}

function ledger(ordered: MemoryOrderedStore, registry: string): Ledger {
  const onTrouble = () => {};
  return new Ledger({
    ordered,
    prefix: `${PULLED_PREFIX}${registry}:`,
    limit: 1e9,
    onEvict: async () => {},
    onTrouble,
  });
}

it('removes what was pulled through and derived, of all registries, and keeps what was brought to stay', async () => {
  const { storage, ordered, index, write } = await replica();
  const origins = REGISTRIES.map(decodeURIComponent);
  for (const [i, registry] of REGISTRIES.entries()) {
    const entries = ledger(ordered, registry);
    await write(createPackumentKey('kept', origins[i]));
    const mark = await write(createPackumentKey('pulled', origins[i]));
    await entries.put(hex('pulled'), { size: 10, at: 5, mark });
    // Confirmed by a bootstrap since it was pulled through.
    await write(createPackumentKey('confirmed', origins[i]));
    await entries.put(hex('confirmed'), { size: 10, at: 5, mark: 'another digest 4' });
    await write(`v1:derived:${registry}:61:62`);
    await write(`v1:resource:${registry}:61`);
  }
  const hash = new Hash('ab'.repeat(32), 'sha256');
  await index.link('v1:version:npm:61:62', {}, { hash, size: 3 }, { pinned: true });
  await index.link('v1:version:npm:63:64', {}, { hash, size: 3 });

  expect(await clearPulled({ storage, ordered, index })).toEqual({
    documents: 2,
    tarballs: 1,
    derived: 2,
    resources: 2,
  });
  expect((await collect(storage.list())).sort()).toEqual(
    origins.flatMap((origin) => ['confirmed', 'kept'].map((name) => createPackumentKey(name, origin))).sort(),
  );
  expect(await index.get('v1:version:npm:61:62')).toBeDefined();
  expect(await index.get('v1:version:npm:63:64')).toBeUndefined();
  expect(await index.blob(hash)).toMatchObject({ refs: 1, pinned: 1 });
  for (const registry of REGISTRIES) {
    expect(await collect(ledger(ordered, registry).entries())).toEqual([]);
    expect(await ledger(ordered, registry).total()).toBe(0);
  }
  expect(await clearPulled({ storage, ordered, index })).toEqual({
    documents: 0,
    tarballs: 0,
    derived: 0,
    resources: 0,
  });
});

it('stops with the reason of its signal', async () => {
  const { storage, ordered, index, write } = await replica();
  await write('v1:derived:npm:61:62');
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(clearPulled({ storage, ordered, index }, { signal })).rejects.toThrow('enough');
  expect(await storage.has('v1:derived:npm:61:62')).toBe(true);
});
