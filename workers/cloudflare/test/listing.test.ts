import { createPartitionKey } from '@_all_docs/cache';
import { publishListing } from '@_all_docs/origin';
import { CloudflareStorageDriver, ReplicaStore } from '@_all_docs/worker-cloudflare';
import { env, exports } from 'cloudflare:workers';
import { beforeAll, expect, it } from 'vitest';
import { gzipped } from '../../../test/contract/_bytes.ts';
import type { Bindings } from '../src/bindings.ts';

const ORIGIN = 'https://registry.example.test';
const { PACKUMENTS, REPLICA } = env as unknown as Required<Bindings>;
const names = ['-', '@a/b', 'express', 'next', 'zod'];

const get = async (path: string) => {
  const { default: worker } = exports as unknown as { default: Fetcher };
  const response = await worker.fetch(`https://replica.example.test${path}`);
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
};
const row = (id: string) => ({ id, key: id, value: { rev: '1-a' } });

beforeAll(async () => {
  const storage = new CloudflareStorageDriver(PACKUMENTS);
  const ranges = [
    { startKey: null, endKey: 'm', names: names.slice(0, 3) },
    { startKey: 'm', endKey: null, names: names.slice(3) },
  ];
  const partitions = [];
  for (const { startKey, endKey, names: inside } of ranges) {
    const body = await gzipped(JSON.stringify({ total_rows: names.length, offset: 0, rows: inside.map(row) }));
    const metadata = { storedAt: 1, encoding: 'gzip', size: body.length } as const;
    await storage.write(createPartitionKey(startKey, endKey, ORIGIN), { body, metadata });
    partitions.push({ startKey, endKey, rows: inside.length });
  }
  const ordered = new ReplicaStore(REPLICA.getByName('replica'));
  await publishListing({ storage, ordered }, { origin: ORIGIN, updateSeq: 500, partitions, at: 1 });
});

it('a listing that was put there is served as npm has it, from KV and the object', async () => {
  expect(await get('/')).toEqual({
    status: 200,
    json: { db_name: 'registry', engine: 'all-docs', doc_count: 5, update_seq: 500 },
  });
  expect((await get('/_all_docs')).json).toEqual({ total_rows: 5, offset: 0, rows: names.map(row) });
  expect((await get('/registry/_all_docs?startkey="f"&endkey="y"')).json).toMatchObject({
    offset: 3,
    rows: [row('next')],
  });
});

it('its feed tells every name once', async () => {
  const { json } = await get('/_changes?since=0');
  expect((json['results'] as { id: string }[]).map(({ id }) => id)).toEqual(names);
  expect(await get(`/_changes?since=${json['last_seq']}`)).toMatchObject({ json: { results: [], last_seq: 500 } });
});

it('a query that npm refuses is refused', async () => {
  expect((await get('/_all_docs?limit=10001')).status).toBe(400);
});
