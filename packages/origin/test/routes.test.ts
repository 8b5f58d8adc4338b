import { PartitionClient } from '@_all_docs/partition';
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ORIGIN, replica } from './_replica.ts';

const REVS = new Map(['-', '@s/n', 'a', 'b', 'c', 'd'].map((id, i) => [id, `${i + 1}-abc`]));
const SEQ = 1_000;

async function listed() {
  const it = replica();
  await it.list(REVS, ['a', 'c'], SEQ);
  return it;
}

describe('in the protocol of npm', () => {
  test.each(['/', '/registry', '/registry/'])(
    '%s says how many names there are and where the feed stands',
    async (path) => {
      const { ask } = await listed();
      const engine = path === '/' ? { engine: 'all-docs' } : {};
      expect((await ask(path)).json).toEqual({ db_name: 'registry', ...engine, doc_count: 6, update_seq: SEQ });
    },
  );

  test.each(['', '/registry'])('%s/_all_docs and _changes are the same with and without /registry', async (prefix) => {
    const { ask } = await listed();
    const { json } = await ask(`${prefix}/_all_docs?startkey=%22a%22&endkey=%22c%22`);
    expect(json).toEqual({
      total_rows: 6,
      offset: 2,
      rows: ['a', 'b', 'c'].map((id, i) => ({ id, key: id, value: { rev: `${i + 3}-abc` } })),
    });
    const feed = (await ask(`${prefix}/_changes`)).json;
    expect(feed.results.map(({ id }: { id: string }) => id)).toEqual([...REVS.keys()]);
    expect(feed.last_seq).toBe(SEQ);
  });

  test('what was followed is in both, and what was deleted in the feed alone', async () => {
    const { ask, log } = await listed();
    log.add({ seq: SEQ + 1, name: 'b', rev: '9-new', deleted: false });
    log.add({ seq: SEQ + 2, name: 'c', rev: '8-gone', deleted: true });
    log.add({ seq: SEQ + 3, name: 'e', rev: '1-e', deleted: false });
    const { json } = await ask('/_all_docs?startkey=%22b%22');
    expect(json).toMatchObject({ total_rows: 6, offset: 3 });
    expect(json.rows.map(({ id, value }: { id: string; value: { rev: string } }) => [id, value.rev])).toEqual([
      ['b', '9-new'],
      ['d', '6-abc'],
      ['e', '1-e'],
    ]);
    expect((await ask('/')).json).toMatchObject({ doc_count: 6, update_seq: SEQ + 3 });
    expect((await ask(`/_changes?since=${SEQ}`)).json).toEqual({
      results: [
        { seq: SEQ + 1, id: 'b', changes: [{ rev: '9-new' }] },
        { seq: SEQ + 2, id: 'c', changes: [{ rev: '8-gone' }], deleted: true },
        { seq: SEQ + 3, id: 'e', changes: [{ rev: '1-e' }] },
      ],
      last_seq: SEQ + 3,
    });
  });

  test('a number past the head is sent back with no rows', async () => {
    const { ask } = await listed();
    expect((await ask('/_changes?since=99999')).json).toEqual({ results: [], last_seq: 99_999 });
  });

  test.each([
    '/_all_docs?limit=10001',
    '/_all_docs?limit=-1',
    '/_all_docs?limit=x',
    '/_all_docs?skip=1',
    '/_all_docs?include_docs=true',
    '/_all_docs?update_seq=true',
    '/_all_docs?descending=true',
    '/_all_docs?keys=%5B%5D',
    '/_all_docs?start_key=%22a%22',
    '/_all_docs?startkey=a',
    '/_all_docs?startkey=1',
    '/_all_docs?endkey=%5B%5D',
    '/_changes?feed=longpoll',
    '/_changes?feed=continuous',
    '/_changes?timeout=1',
    '/_changes?heartbeat=1',
    '/_changes?include_docs=true',
    '/_changes?since=now',
    '/_changes?since=-1',
    '/_changes?since=1.5',
    '/_changes?limit=10001',
  ])('%s is a 400 that says why, as npm has it', async (target) => {
    const { ask } = await listed();
    const { status, json } = await ask(target);
    expect(status).toBe(400);
    expect(json).toEqual({ error: 'Bad Request', reason: expect.any(String) });
  });

  test('a replica that listed nothing whole says so with 503, whatever is asked, and never a short list', async () => {
    const { ask } = replica();
    for (const target of ['/', '/_all_docs', '/_changes', '/-/listing/index.json']) {
      const { status, json, headers } = await ask(target);
      expect([target, status, json.code]).toEqual([target, 503, 'ERR_NO_LISTING']);
      // Nobody should wait for what does not come by itself.
      expect(headers['retry-after']).toBeUndefined();
    }
  });

  test('a partition whose rows are gone is a 503, not a shorter page', async () => {
    const { ask, storage } = await listed();
    for await (const key of storage.list('v1:partition:')) if (key.endsWith(':')) await storage.delete(key);
    expect(await ask('/_all_docs')).toMatchObject({ status: 503, json: { code: 'ERR_LISTING_LOST' } });
  });

  test('places of the listing are not given out while a partition is being replaced; pages of names are', async () => {
    const { ask, env } = await listed();
    const rows = ['c', 'd', 'e'].map((id) => ({ id, key: id, value: { rev: '1-a' } }));
    await new PartitionClient({ env }).store({ startKey: 'c', endKey: null }, rows, 7);
    const { status, json, headers } = await ask('/_changes');
    expect([status, json.code, headers['retry-after']]).toEqual([503, 'ERR_LISTING_RENEWED', '30']);
    expect((await ask('/_changes?limit=4')).json.results).toHaveLength(4);
    expect((await ask('/_all_docs?startkey=%22c%22')).json.rows).toHaveLength(3);
  });

  test('an origin without a feed has none here, but its names', async () => {
    const { ask, list } = replica();
    await list(REVS, [], undefined);
    expect((await ask('/')).json).toEqual({ db_name: 'registry', engine: 'all-docs', doc_count: 6 });
    expect((await ask('/_all_docs')).json.rows).toHaveLength(6);
    expect(await ask('/_changes')).toMatchObject({ status: 503, json: { code: 'ERR_NO_FEED' } });
  });

  test('nothing but reading is allowed', async () => {
    const { ask } = await listed();
    expect(await ask('/_all_docs', { method: 'POST' })).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
    expect(await ask('/-/documents')).toMatchObject({ status: 405, headers: { allow: 'POST' } });
  });

  test('a long page is packed for those who take it', async () => {
    const { ask, list } = replica();
    await list(new Map(Array.from({ length: 500 }, (_, i) => [`name-${i}`, '1-a'])), [], SEQ * 100);
    const packed = await ask('/_all_docs', { headers: { 'accept-encoding': 'gzip' } });
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(packed.json.rows).toHaveLength(500);
    expect((await ask('/_all_docs')).headers['content-encoding']).toBeUndefined();
  });
});

describe('partitions that never change', () => {
  test('the index names a file for each partition without changes; its bytes are the stored ones and have its digest', async () => {
    const { ask, log, storage } = await listed();
    log.add({ seq: SEQ + 1, name: 'b', rev: '9-new', deleted: false });
    const { json } = await ask('/-/listing/index.json');
    expect(
      json.partitions.map(({ startKey, rows, file }: { startKey: string; rows: number; file: string }) => [
        startKey,
        rows,
        file !== null,
      ]),
    ).toEqual([
      [null, 2, true],
      ['a', 2, false],
      ['c', 2, true],
    ]);
    const { file } = json.partitions[2];
    const { status, headers, bytes } = await ask(`/-/listing/${file}`);
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'cache-control': 'public, max-age=31536000, immutable',
      'content-type': 'application/gzip',
    });
    expect(`sha256-${createHash('sha256').update(bytes).digest('base64url')}.json.gz`).toBe(file);
    expect(JSON.parse(gunzipSync(bytes).toString()).rows).toHaveLength(2);
    const stored = await storage.read(`v1:partition:${encodeURIComponent(ORIGIN)}:63:`);
    expect(Buffer.from(stored?.body ?? [])).toEqual(bytes);
  });

  test.each(['nothing', 'sha256-AAAA.json.gz', '..%2f..%2fetc', ''])('%s is a 404', async (file) => {
    const { ask } = await listed();
    expect((await ask(`/-/listing/${file}`)).status).toBe(404);
  });
});
