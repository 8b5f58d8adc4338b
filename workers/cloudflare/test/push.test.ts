import { type EntryMetadata, MemoryStorageDriver, type StoredEntry } from '@_all_docs/cache';
import type { Transport } from '@_all_docs/http';
import { CloudflareStorageDriver, R2StorageDriver } from '@_all_docs/worker-cloudflare';
import { env } from 'cloudflare:workers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ReplicaObject } from '../src/objects.ts';
import { CloudflareApi } from '../src/push/cloudflare-api.ts';
import { type PushBucket, type Source, type SyncPlace, syncKeys } from '../src/push/sync-keys.ts';
import { spares } from './_spare.ts';

const kvBindings = spares<KVNamespace>('KV');
/** Nothing of a test is in it that another one asks for. */
const r2 = spares<R2Bucket>('R2')();
const utf8 = (text: string) => new TextEncoder().encode(text);

/** A store of entries here, and KV and R2 there, behind the routes of their APIs; KV gives so many keys a page. */
function scene(kv = kvBindings(), pageSize = 1_000) {
  const here = new MemoryStorageDriver();
  const asked: string[] = [];
  const transport: Transport = async ({ url, method = 'GET', body }) => {
    const { pathname, searchParams } = new URL(url);
    const route = `${method} ${pathname.split('/').slice(9).join('/')}`;
    asked.push(route);
    let result: unknown = null;
    let cursor: string | undefined;
    if (route === 'GET keys') {
      if (searchParams.get('cursor') === 'forgotten') {
        const refused = { success: false, result: null, errors: [{ code: 10_026, message: 'invalid cursor' }] };
        return { status: 400, headers: {}, body: utf8(JSON.stringify(refused)), encoding: 'identity' };
      }
      const page = await kv.list({
        prefix: searchParams.get('prefix'),
        limit: pageSize,
        cursor: searchParams.get('cursor'),
      });
      result = page.keys;
      if (!page.list_complete) cursor = page.cursor;
    } else {
      const sent = JSON.parse(new TextDecoder().decode(body));
      if (method === 'POST') for (const key of sent) await kv.delete(key);
      else
        for (const { key, value, metadata } of sent)
          await kv.put(
            key,
            Uint8Array.from(atob(value), (unit) => unit.charCodeAt(0)),
            { metadata },
          );
    }
    const reply = utf8(JSON.stringify({ success: true, result, result_info: { cursor: cursor ?? '' } }));
    return { status: 200, headers: {}, body: reply, encoding: 'identity' };
  };
  const bucket: PushBucket = {
    async head(key) {
      const object = await r2.head(key);
      return object ? { size: object.size, metadata: object.customMetadata ?? {} } : undefined;
    },
    put: (key, body, { metadata } = {}) => r2.put(key, body, metadata ? { customMetadata: metadata } : {}),
    upload: () => Promise.reject(new Error('not asked for here')),
  };
  const source: Source = {
    prefix: 'v1:',
    isWhole: true,
    keys: (after) => here.list('v1:', { after }),
    head: (key) => here.head(key),
    read: (key) => here.read(key),
  };
  const push = async (place: SyncPlace = {}) => {
    const counts = { looked: 0, sent: 0, deleted: 0, bytes: 0 };
    const api = new CloudflareApi({ transport, account: 'a', token: 't', url: 'https://api.example.test/client/v4' });
    const sync = { api, namespace: 'n', bucket: async () => bucket, isPlan: false };
    await syncKeys(source, sync, counts, place, async () => {});
    return counts;
  };
  return { here, there: new CloudflareStorageDriver(kv, { large: new R2StorageDriver(r2) }), push, asked };
}

const entry = (body: Uint8Array, more: Partial<EntryMetadata> = {}): StoredEntry => ({
  body,
  metadata: { storedAt: 1_000, encoding: 'identity', size: body.length, etag: '"é"', ...more },
});

describe('push', () => {
  it("sends what the worker's driver reads, with metadata of any text and bodies that KV does not take", async () => {
    const { here, there, push } = scene();
    const large = new Uint8Array(25 * 1024 * 1024 + 1).fill(7);
    await here.write('v1:a', entry(utf8('{}'), { rev: '1-\u{1F980}' }));
    await here.write('v1:large', entry(large));
    expect(await push()).toMatchObject({ sent: 2, bytes: large.length + 2 });
    for (const key of ['v1:a', 'v1:large']) expect(await there.read(key)).toEqual(await here.read(key));
    expect(await push()).toMatchObject({ looked: 2, sent: 0 });
  });

  it('packs anew what Workers cannot unpack, and knows it again', async () => {
    const { here, there, push } = scene();
    const deflated = new Blob(['{"a":1}']).stream().pipeThrough(new CompressionStream('deflate'));
    const body = new Uint8Array(await new Response(deflated).arrayBuffer());
    await here.write('v1:a', entry(body, { encoding: 'deflate' }));
    expect(await push()).toMatchObject({ sent: 1 });
    expect((await there.read('v1:a'))?.metadata.encoding).toBe('gzip');
    expect(await there.get('v1:a')).toEqual({ a: 1 });
    expect(await push()).toMatchObject({ sent: 0 });
  });

  it('leaves what the worker has newer and what it pulled through; a pulled one that is held here comes to stay', async () => {
    const { here, there, push } = scene();
    const expiresAt = Date.now() + 3_600_000;
    await there.write('v1:newer', entry(utf8('new'), { storedAt: 2_000 }));
    await there.write('v1:pulled', entry(utf8('there'), { expiresAt }));
    await there.write('v1:both', entry(utf8('same'), { expiresAt }));
    await here.write('v1:newer', entry(utf8('old')));
    await here.write('v1:both', entry(utf8('same')));
    expect(await push()).toMatchObject({ sent: 1, deleted: 0 });
    expect(await there.read('v1:newer')).toMatchObject({ body: utf8('new') });
    expect(await there.has('v1:pulled')).toBe(true);
    expect((await there.head('v1:both'))?.expiresAt).toBeUndefined();
  });

  it('ends with the same keys and bodies there, whatever is there before, however they fall on pages, from any place on', async () => {
    const kv = kvBindings();
    const keys = fc.uniqueArray(fc.integer({ min: 0, max: 40 }), { maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(keys, keys, fc.integer({ min: 1, max: 6 }), fc.boolean(), async (mine, theirs, page, again) => {
        const { here, there, push, asked } = scene(kv, page);
        for await (const key of there.list()) await there.delete(key);
        const name = (n: number) => `v1:${String(n).padStart(2, '0')}`;
        for (const n of theirs) await there.write(name(n), entry(utf8(`${n % 3 === 0 ? 'other' : n}`)));
        for (const n of mine) await here.write(name(n), entry(utf8(`${n}`)));
        const changed = mine.filter((n) => !theirs.includes(n) || n % 3 === 0).length;
        const gone = theirs.filter((n) => !mine.includes(n)).length;
        expect(await push()).toEqual({ looked: mine.length, sent: changed, deleted: gone, bytes: expect.any(Number) });
        const found: Record<string, string> = {};
        for await (const key of there.list()) found[key] = new TextDecoder().decode((await there.read(key))?.body);
        expect(found).toEqual(Object.fromEntries(mine.map((n) => [name(n), `${n}`])));
        asked.length = 0;
        expect(await push(again ? { after: name(20), cursor: 'forgotten' } : {})).toMatchObject({
          sent: 0,
          deleted: 0,
        });
        expect(asked.filter((route) => route !== 'GET keys')).toEqual([]);
      }),
      { seed: 6, numRuns: 15 },
    );
  });
});

describe('a listing that was pushed', () => {
  const listing = { rows: 1, updateSeq: 50, shift: 0, generation: 0, at: 1, parts: [] };
  const objectOf = (name: string) => env.REPLICA.getByName(name) as unknown as ReplicaObject;

  it('has the feed go on from the cursor that came with it, where nobody has followed', async () => {
    const replica = objectOf('pushed-first');
    await replica.publish(listing, 70);
    expect(await replica.state()).toMatchObject({ cursor: 70, highest: 70, epoch: 0 });
    expect(JSON.parse((await rowOf(replica)) ?? '')).toEqual(listing);
  });

  it('moves no cursor ahead, and back only the first time: what came in between may not be in the log', async () => {
    const replica = objectOf('pushed-again');
    await replica.publish(listing, 70);
    await replica.publish({ ...listing, generation: 1 }, 90);
    expect(await replica.state()).toMatchObject({ cursor: 70 });
    await replica.publish({ ...listing, generation: 2 }, 60);
    expect(await replica.state()).toMatchObject({ cursor: 70 });
  });

  async function rowOf(replica: ReplicaObject): Promise<string | undefined> {
    const rows = await replica.page({ start: 'v1:listing:', end: 'v1:listing;' });
    return rows[0]?.[1];
  }
});
