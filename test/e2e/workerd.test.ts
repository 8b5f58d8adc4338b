import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, type Reply } from '../fake-origin/client.ts';
import { type FakeOrigin, startFakeOrigin } from '../fake-origin/index.ts';
import { until } from './cli.ts';
import { startWorkerd, type Workerd } from './workerd.ts';

const SECRET = 'a-secret-of-work';
const WORKER = resolve(import.meta.dirname, '../../workers/cloudflare');

describe('the Cloudflare worker', () => {
  let fake: FakeOrigin;
  let worker: Workerd;
  let names: string[];
  const get = (path: string, headers: Record<string, string> = {}) => ask(worker.url, path, { headers });
  const post = (path: string, body: string, authorization = `Bearer ${SECRET}`): Promise<Reply> =>
    ask(worker.url, path, { method: 'POST', body, headers: { authorization, 'content-type': 'application/json' } });
  const item = (type: string, payload: unknown) =>
    JSON.stringify({ type, id: 'one', payload, priority: 1, attempts: 0 });
  const status = async () => JSON.parse((await get('/-/status.json')).text);
  /** The cron's call. */
  const wake = () => get('/cdn-cgi/handler/scheduled');
  const versionsOf = (name: string) =>
    fake.packument(name)?.['versions'] as Record<string, { dist: { tarball: string } }>;

  beforeAll(async () => {
    fake = await startFakeOrigin({ packages: 500, seed: 21 });
    worker = await startWorkerd({ REGISTRY: fake.url, ORIGIN: fake.url, WORK_SECRET: SECRET });
    names = [...fake.names()].filter((name) => /^[a-z][a-z-]+$/.test(name));
  }, 120_000);
  afterAll(async () => {
    await worker?.stop();
    await fake?.close();
  }, 60_000);

  describe('work', () => {
    it('is refused without the secret', async () => {
      for (const authorization of ['', 'Bearer', 'Bearer x', `Basic ${SECRET}`, `Bearer ${SECRET}x`]) {
        const { status, headers, text } = await post('/work', item('packument', { name: 'x' }), authorization);
        expect([authorization, status, headers['www-authenticate']]).toEqual([authorization, 401, 'Bearer']);
        expect(JSON.parse(text).error).toContain('secret');
      }
      expect((await get('/work')).status).toBe(405);
      expect((await get('/listing')).status).toBe(401);
    });

    it('a listing of another registry is refused', async () => {
      const authorization = `Bearer ${SECRET}`;
      const body = JSON.stringify({ origin: 'https://registry.example.test' });
      const { status, text } = await ask(worker.url, '/listing', { method: 'POST', body, headers: { authorization } });
      expect([status, JSON.parse(text).error]).toEqual([400, expect.stringContaining(fake.url)]);
    });

    it.each([
      ['not JSON', '{'],
      ['no object', '[]'],
      ['null', 'null'],
      ['no item', '{}'],
      ['an unknown type', item('tarball', {})],
      ['a name that is none', item('packument', { name: '../x' })],
      ['no name', item('packument', {})],
      ['a key that is none', item('partition', { startKey: 1, endKey: null })],
      ['a priority that is none', JSON.stringify({ type: 'packument', id: 'a', payload: { name: 'x' }, priority: 0 })],
    ])('that is %s is a 400 that says so', async (_, body) => {
      const { status, text } = await post('/work', body);
      expect([status, JSON.parse(text).error.length > 10]).toEqual([400, true]);
    });

    it('a packument is fetched into the store, and served from there', async () => {
      const name = names.pop() as string;
      expect(await post('/work', item('packument', { name }))).toMatchObject({
        status: 200,
        text: '{"success":true,"rows":1}',
      });
      fake.resetStats();
      expect((await get(`/npm/${name}`)).status).toBe(200);
      expect(fake.stats().requests).toBe(0);
    });

    it('a partition is listed into the store', async () => {
      const { status, text } = await post('/work', item('partition', { startKey: 'a', endKey: 'b' }));
      const rows = [...fake.names()].filter((name) => name >= 'a' && name < 'b').length;
      expect([status, JSON.parse(text)]).toMatchObject([200, { success: true, rows }]);
    });

    it('that the origin cannot do now is said to have failed', async () => {
      const name = names.pop() as string;
      fake.setFaults([{ fault: '500', path: `^/${name}` }]);
      const { status, text } = await post('/work', item('packument', { name }));
      fake.setFaults([]);
      expect([status, JSON.parse(text)]).toMatchObject([502, { success: false, code: 'ERR_FETCH_FAILED' }]);
    });

    it('that is enqueued is done by the queue', async () => {
      const name = names.pop() as string;
      expect((await post('/enqueue', item('packument', { name }))).status).toBe(202);
      await until(() => fake.stats().perName.get(name) !== undefined, 'the document is fetched');
    });
  });

  describe('following', () => {
    it('begins at the head, and says in the status where it is', async () => {
      expect((await wake()).status).toBe(200);
      const { feed, following } = await status();
      expect(following).toBe(true);
      expect(feed.cursor).toBe(feed.originSeq);
    });

    it('a removed version is refused within five seconds of its row, document and tarball; a deleted package too', async () => {
      const cut = names.find((name) => Object.keys(versionsOf(name)).length > 1) as string;
      const deleted = names.pop() as string;
      const last = Object.keys(versionsOf(cut)).at(-1) as string;
      const tarball = versionsOf(cut)[last]?.dist.tarball.slice(fake.url.length) as string;
      for (const path of [`/${cut}`, tarball, `/${deleted}`]) expect((await get(`/npm${path}`)).status).toBe(200);
      fake.remove(cut, 'version');
      fake.remove(deleted, 'deleted');
      const gone = Object.keys(versionsOf(cut));
      await wake();
      const seen = Date.now();
      const left = () => Math.max(0, seen + 5_000 - Date.now());
      await until(async () => (await get(`/npm/${deleted}`)).status === 404, 'the deleted one is refused', left());
      await until(async () => (await get(`/npm${tarball}`)).status === 404, 'the tarball is refused', left());
      expect(gone).not.toContain(last);
      expect(Object.keys(JSON.parse((await get(`/npm/${cut}`)).text).versions).sort()).toEqual(gone.sort());
    });

    it('what changed is fetched again by the queue, though nobody asks for it', async () => {
      const name = names.pop() as string;
      await get(`/npm/${name}`);
      fake.publish(name);
      fake.resetStats();
      await wake();
      await until(() => (fake.stats().perName.get(name)?.served ?? 0) > 0, 'it is fetched');
      const { text } = await get(`/npm/${name}`);
      expect(JSON.parse(text)['dist-tags']).toEqual(fake.packument(name)?.['dist-tags']);
    });

    it('trouble of the feed is in the status, and nothing fails for it', async () => {
      fake.setFaults([{ fault: '500', kinds: ['changes', 'root'] }]);
      expect((await wake()).status).toBe(200);
      expect((await status()).feed.error).toContain('500');
      fake.setFaults([]);
      await wake();
      expect((await status()).feed.error).toBeUndefined();
    });
  });

  it('answers /health, and says that there is no listing before one was pushed', async () => {
    expect(await get('/health')).toMatchObject({ status: 200, text: '{"status":"ok"}' });
    for (const path of ['/', '/_all_docs', '/_changes'])
      expect([path, JSON.parse((await get(path)).text).code]).toEqual([path, 'ERR_NO_LISTING']);
    expect((await get('/_all_docs?limit=x')).status).toBe(400);
  });
});

describe('the Cloudflare worker without a binding', () => {
  it('names it, and the line to add to wrangler.jsonc', async () => {
    const text = readFileSync(join(WORKER, 'wrangler.jsonc'), 'utf8');
    const config = join(WORKER, `_no-kv-${process.pid}.jsonc`);
    writeFileSync(config, text.replace(/"kv_namespaces": \[[^\]]*\],/, ''));
    try {
      const worker = await startWorkerd({ REGISTRY: 'http://127.0.0.1:9' }, { config });
      try {
        const { status, text } = await ask(worker.url, '/npm/express');
        expect([status, JSON.parse(text).code]).toEqual([500, 'ERR_NO_BINDING']);
        expect(JSON.parse(text).error).toMatch(/wrangler\.jsonc\nPACKUMENTS: .*kv_namespaces/);
      } finally {
        await worker.stop();
      }
    } finally {
      rmSync(config);
    }
  });
});
