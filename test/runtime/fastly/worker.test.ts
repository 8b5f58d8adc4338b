import { createPartitionKey, encodeOrigin } from '@_all_docs/cache';
import { LISTING_PREFIX } from '@_all_docs/origin';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toKvKey } from '../../../workers/fastly/src/kv-key.ts';
import { ask, type Reply } from '../../fake-origin/client.ts';
import { type FakeOrigin, startFakeOrigin } from '../../fake-origin/index.ts';
import { startWorker } from '../../servers/fastly.ts';
import type { RunningViceroy } from '../../servers/viceroy.ts';
import { withViceroy } from './_with-viceroy.ts';

const LISTED = ['-', '@a/b', 'express', 'next', 'zod'];
const row = (id: string) => ({ id, key: id, value: { rev: '1-a' } });

/** Two partitions and the row that makes a listing of them, as they lie in the KV Store. */
function pushedListing(origin: string): { key: string; data: string; metadata: string }[] {
  const entry = (key: string, data: string) => {
    const digest = `sha256-${createHash('sha256').update(data).digest('base64')}`;
    return {
      key: toKvKey(key),
      data,
      metadata: JSON.stringify({ storedAt: 1, encoding: 'identity', size: data.length, digest }),
      digest,
    };
  };
  const part = (startKey: string | null, endKey: string | null, names: string[]) => ({
    ...entry(
      createPartitionKey(startKey, endKey, origin),
      JSON.stringify({ total_rows: LISTED.length, offset: 0, rows: names.map(row) }),
    ),
    startKey,
    rows: names.length,
  });
  const parts = [part(null, 'm', LISTED.slice(0, 3)), part('m', null, LISTED.slice(3))];
  const listing = {
    ...{ rows: LISTED.length, updateSeq: 500, shift: 0, generation: 0, at: 1 },
    parts: parts.map(({ startKey, rows, digest }) => ({ startKey, rows, digest })),
  };
  const all = [...parts, entry(LISTING_PREFIX + encodeOrigin(origin), JSON.stringify(listing))];
  return all.map(({ key, data, metadata }) => ({ key, data, metadata }));
}

await withViceroy(() => {
  describe('the Fastly worker', () => {
    let fake: FakeOrigin;
    let worker: RunningViceroy;
    let names: string[];

    beforeAll(async () => {
      fake = await startFakeOrigin({ packages: 400, seed: 7, sizes: 'small' });
      names = [...fake.names()].filter((of) => /^[a-z]{3,}$/.test(of)).sort();
      worker = await startWorker(fake.url, {
        config: { registry: fake.url, origin: fake.url, max_age_seconds: '300' },
        entries: pushedListing(fake.url),
      });
    });
    afterAll(async () => {
      await worker?.stop();
      await fake?.close();
    });

    const get = (path: string, headers: Record<string, string> = {}): Promise<Reply> =>
      ask(worker.url, path, { headers });
    const post = (body: unknown, token = 'secret'): Promise<Reply> =>
      ask(worker.url, '/work', {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
    const item = (type: string, payload: unknown, id = 'it') => ({ type, id, payload, priority: 1, attempts: 0 });

    it.each(['/health', '/livez', '/readyz'])('%s says that stores and backends are there', async (path) => {
      expect(await get(path)).toMatchObject({ status: 200, text: '{"status":"ok"}' });
    });

    it('/-/status.json says what runs where', async () => {
      expect(JSON.parse((await get('/-/status.json')).text)).toMatchObject({ runtime: 'fastly', registry: fake.url });
    });

    it('a document that is held is sent with its length and as it is stored, one look-up and no request to the origin', async () => {
      const of = names.pop() as string;
      const first = await get(`/npm/${of}`, { 'accept-encoding': 'gzip', 'user-agent': 'npm/12' });
      fake.resetStats();
      const again = await get(`/npm/${of}`, { 'accept-encoding': 'gzip', 'user-agent': 'npm/12' });
      expect([again.status, again.headers['content-length']]).toEqual([200, String(again.raw.length)]);
      expect([again.headers['cache-status'], again.raw.equals(first.raw)]).toEqual([
        expect.stringMatching(/^_all_docs; hit/),
        true,
      ]);
      expect(fake.stats().requests).toBe(0);
    });

    it('a listing that was pushed is served as npm has it', async () => {
      const json = async (path: string) => JSON.parse((await get(path)).text);
      expect(await json('/')).toMatchObject({ db_name: 'registry', doc_count: 5, update_seq: 500 });
      expect(await json('/_all_docs')).toEqual({ total_rows: 5, offset: 0, rows: LISTED.map(row) });
      expect(await json('/registry/_all_docs?startkey=%22f%22&endkey=%22y%22')).toMatchObject({
        offset: 3,
        rows: [row('next')],
      });
      const { results, last_seq: last } = await json('/_changes?since=0');
      expect(results.map(({ id }: { id: string }) => id)).toEqual(LISTED);
      expect(await json(`/_changes?since=${last}`)).toMatchObject({ results: [], last_seq: last });
      expect((await get('/_all_docs?limit=10001')).status).toBe(400);
    });

    describe('POST /work', () => {
      it.each([
        ['no secret', {}],
        ['another secret', { authorization: 'Bearer secreT' }],
        ['another scheme', { authorization: 'Basic secret' }],
      ])('is a 401 with %s, and does nothing', async (_, headers) => {
        fake.resetStats();
        const body = JSON.stringify(item('packument', { name: names[0] }));
        const reply = await ask(worker.url, '/work', {
          method: 'POST',
          headers: headers as Record<string, string>,
          body,
        });
        expect([reply.status, reply.headers['www-authenticate'], fake.stats().requests]).toEqual([401, 'Bearer', 0]);
      });

      it('is a 405 for another method', async () => {
        expect(await get('/work')).toMatchObject({ status: 405, headers: { allow: 'POST' } });
      });

      it.each([
        ['no JSON', '{'],
        ['no item', null],
        ['an item without an id', { type: 'packument', payload: {}, priority: 1, attempts: 0 }],
        ['nine items', Array.from({ length: 9 }, (_, i) => item('packument', { name: 'a' }, `${i}`))],
        ['too much', item('packument', { name: 'a'.repeat(70_000) })],
      ])('is a 400 for %s, and says what to send', async (_, body) => {
        const { status, text } = await post(body);
        expect([status, JSON.parse(text).code]).toEqual([400, 'ERR_BAD_WORK_ITEM']);
      });

      it('fetches documents into the store', async () => {
        const [a, b] = names.splice(-2) as [string, string];
        const { status, text } = await post([
          item('packument', { name: a }, 'a'),
          item('packument', { name: b }, 'b'),
          item('packument', { name: 'nobody-has-this-name' }, 'c'),
        ]);
        expect([status, JSON.parse(text).results]).toEqual([
          200,
          [
            { id: 'a', success: true },
            { id: 'b', success: true },
            { id: 'c', success: true, status: 404 },
          ],
        ]);
        fake.resetStats();
        for (const of of [a, b])
          expect(JSON.parse((await get(`/npm/${of}`, { 'user-agent': 'npm/12' })).text).name).toBe(of);
        expect(fake.stats().requests).toBe(0);
      });

      it('lists a partition into the store, every name of it once', async () => {
        const { status, text } = await post(item('partition', { startKey: 'a', endKey: 'n' }));
        const count = [...fake.names()].filter((of) => of >= 'a' && of < 'n').length;
        expect([status, JSON.parse(text).results]).toEqual([200, [{ id: 'it', success: true, rows: count }]]);
      });

      it('tells trouble as a result, with a status that makes a queue try again', async () => {
        fake.setFaults([{ fault: '500' }]);
        const { status, text } = await post(item('packument', { name: names.pop() }));
        fake.setFaults([]);
        expect([status, JSON.parse(text).results[0]]).toMatchObject([
          502,
          { success: false, code: 'ERR_FETCH_FAILED' },
        ]);
        const unknown = await post(item('cleaning', {}));
        expect([unknown.status, JSON.parse(unknown.text).results[0].code]).toEqual([502, 'ERR_BAD_WORK_ITEM']);
        const bad = await post([
          item('packument', { name: '../x' }),
          item('partition', { startKey: 'b', endKey: 'a' }),
        ]);
        expect(JSON.parse(bad.text).results.map(({ code }: { code: string }) => code)).toEqual([
          'ERR_BAD_NAME',
          'ERR_BAD_RANGE',
        ]);
      });
    });
  });

  describe('a service that lacks something', () => {
    it('answers each request with what to create', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'all-docs-lacking-'));
      const worker = await startWorker('http://127.0.0.1:9', { kvStores: [] });
      for (const path of ['/health', '/npm/express']) {
        const { status, text } = await ask(worker.url, path);
        const { code, error } = JSON.parse(text);
        expect([path, status, code]).toEqual([path, 500, 'ERR_NO_STORE']);
        expect(error).toContain('fastly kv-store create --name all_docs');
      }
      await worker.stop();
      rmSync(folder, { recursive: true });
    });
  });
});
