import { createPartitionKey, MemoryStorageDriver, type StoredEntry } from '@_all_docs/cache';
import type { KeyRange } from '@_all_docs/partition';
import { describe, expect, it } from 'vitest';
import { AllDocsOrigin, answer, clientOf, codeOf, idsOf, ORIGIN } from './_all-docs-origin.ts';

const WHOLE: KeyRange = { startKey: null, endKey: null };

describe('the cache of listings', () => {
  it('answers while it is young, and no longer', async () => {
    const origin = new AllDocsOrigin(['a', 'b']);
    const { client, clock } = clientOf(origin);
    const range = { startKey: 'a', endKey: 'c' };
    await client.request(range);
    const asked = origin.requests.length;
    clock.time += 300_000;
    expect(idsOf((await client.request(range)).json().rows)).toEqual(['a', 'b']);
    expect(origin.requests).toHaveLength(asked);
    await client.request(range, { maxAgeMs: 1_000 });
    expect(origin.requests.length).toBeGreaterThan(asked);
    const again = origin.requests.length;
    await client.request(range, { refresh: true });
    expect(origin.requests.length).toBeGreaterThan(again);
  });

  it("holds the rows under the range's key, compressed", async () => {
    const { client, storage, clock } = clientOf(new AllDocsOrigin(['a', 'b']));
    const range = { startKey: 'a', endKey: null };
    expect(await client.held(range)).toBeUndefined();
    await client.request(range);
    expect(await storage.head(createPartitionKey('a', null, ORIGIN))).toMatchObject({
      encoding: 'gzip',
      storedAt: clock.time,
    });
    expect((await storage.get(createPartitionKey('a', null, ORIGIN))).rows).toHaveLength(2);
    clock.time += 1e12;
    expect(idsOf((await client.held(range)) ?? [])).toEqual(['a', 'b']);
    expect(await client.held({ startKey: 'a', endKey: 'b' })).toBeUndefined();
  });

  it('keeps nothing of a listing that failed', async () => {
    const origin = new AllDocsOrigin(['a', 'b', 'c', 'd'], 2);
    origin.tamper = (rows, _, request) => (request > 1 ? answer('', 200) : rows);
    const { client, storage } = clientOf(origin);
    expect(await codeOf(() => client.request(WHOLE))).toBe('ERR_BAD_PAGE');
    for await (const key of storage.list()) expect.unreachable(key);
  });

  it('that is damaged is asked for again, not in the way', async () => {
    const origin = new AllDocsOrigin(['a', 'b']);
    const damaged = new MemoryStorageDriver();
    const { client } = clientOf(origin, damaged);
    await client.request(WHOLE);
    const key = createPartitionKey(null, null, ORIGIN);
    const entry = (await damaged.read(key)) as StoredEntry;
    await damaged.write(key, {
      body: entry.body.slice(0, 15),
      metadata: { ...entry.metadata, digest: undefined },
    });
    expect(idsOf((await client.request(WHOLE)).json().rows)).toEqual(['a', 'b']);
  });
});
