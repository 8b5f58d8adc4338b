import { createPackumentKey, createPartitionKey } from '@_all_docs/cache';
import { HttpError } from '@_all_docs/http';
import {
  createStorageDriver,
  MemoryQueue,
  processPackument,
  processPartition,
  processWorkItem,
  workQueue,
} from '@_all_docs/worker';
import { describe, expect, it } from 'vitest';
import { envOf, item, json } from './_env.ts';

const rows = ['a', 'aa'].map((id) => ({ id, key: id, value: { rev: '1-x' } }));
/** The rows from the asked start on. */
const page = ({ url }: { url: string }, sent = rows) => {
  const start = JSON.parse(new URL(url).searchParams.get('startkey') ?? '""') as string;
  return json({ total_rows: sent.length, offset: 0, rows: sent.filter(({ id }) => id >= start) });
};
const range = { startKey: 'a', endKey: 'b' };
const documentOf = (name: string) => json({ _id: name, _rev: '1-x', name, versions: {} });

describe('processPartition', () => {
  it('lists the range into the cache', async () => {
    const env = envOf((request) => page(request));
    expect(await processPartition(item('partition', range), env)).toEqual({ success: true, rows: 2 });
    expect((await env.storage.get(createPartitionKey('a', 'b', env.origin))).rows).toEqual(rows);
  });

  it('asks again even when a young answer is stored', async () => {
    let held = rows;
    const env = envOf((request) => page(request, held));
    await processPartition(item('partition', range), env);
    held = rows.slice(1);
    expect(await processPartition(item('partition', range), env)).toEqual({ success: true, rows: 1 });
  });

  it.each([
    [
      'an origin that is down',
      () => {
        throw new HttpError('ERR_FETCH_FAILED', 'connection refused');
      },
      range,
      'ERR_FETCH_FAILED',
    ],
    ['a bad page', () => json('{'), range, 'ERR_BAD_PAGE'],
    ['a bad range', () => json('{'), { startKey: 'b', endKey: 'a' }, 'ERR_BAD_RANGE'],
    [
      'a mistake of the program',
      () => {
        throw new TypeError('x is not a function');
      },
      range,
      undefined,
    ],
    ['no payload', () => json('{'), undefined, undefined],
  ])('%s is { success: false, error } and never an exception', async (_, transport, payload, code) => {
    const result = await processPartition(item('partition', payload as typeof range), envOf(transport));
    expect(result).toMatchObject({ success: false, error: expect.any(String) });
    expect((result as { error: string }).error).not.toBe('');
    expect((result as { code?: string }).code).toBe(code);
  });

  it('no storage is a failure too', async () => {
    const result = await processPartition(item('partition', range), {
      ...envOf((request) => page(request)),
      storage: undefined as never,
    });
    expect(result).toMatchObject({ success: false, code: 'ERR_NO_STORAGE' });
  });
});

describe('processPackument', () => {
  it('fetches the document into the cache', async () => {
    const env = envOf(() => documentOf('@a/b'));
    const result = await processPackument(item('packument', { name: '@a/b' }), env);
    expect(result).toMatchObject({ success: true, bytes: documentOf('@a/b').body.length });
    expect(await env.storage.get(createPackumentKey('@a/b', env.registry))).toMatchObject({ _id: '@a/b' });
  });

  it('asks conditionally for what is held', async () => {
    const env = envOf(({ headers }) =>
      headers?.['if-none-match'] ? { ...json('', 304) } : { ...documentOf('a'), headers: { etag: '"1"' } },
    );
    await processPackument(item('packument', { name: 'a' }), env);
    await env.clock.advance(1_000);
    expect(await processPackument(item('packument', { name: 'a' }), env)).toEqual({ success: true, bytes: 0 });
    expect((await env.storage.head(createPackumentKey('a', env.registry)))?.storedAt).toBe(env.clock.time);
  });

  it("takes the registry's 404 for an answer", async () => {
    const env = envOf(() => json({ error: 'Not found' }, 404));
    expect(await processPackument(item('packument', { name: 'a' }), env)).toEqual({
      success: true,
      bytes: 0,
      status: 404,
    });
  });

  it.each([
    ['another package', () => documentOf('b'), 'ERR_BAD_PACKUMENT'],
    ['a refusal', () => json({}, 403), 'ERR_FETCH_FAILED'],
    [
      'no answer',
      () => {
        throw new HttpError('ERR_TIMEOUT', 'slow');
      },
      'ERR_TIMEOUT',
    ],
  ])('%s is { success: false, error }', async (_, transport, code) => {
    expect(await processPackument(item('packument', { name: 'a' }), envOf(transport))).toMatchObject({
      success: false,
      error: expect.any(String),
      code,
    });
  });

  it.each([undefined, null, {}, { name: 5 }, { name: '' }])(
    'payload %j is { success: false, error } and asks nothing',
    async (payload) => {
      let asked = 0;
      const env = envOf(() => {
        asked += 1;
        return documentOf('a');
      });
      expect(await processPackument(item('packument', payload as { name: string }), env)).toMatchObject({
        success: false,
        error: expect.any(String),
      });
      expect(asked).toBe(0);
    },
  );
});

describe('work', () => {
  it('of an unknown type fails', async () => {
    expect(
      await processWorkItem(
        item('sing', {}),
        envOf((request) => page(request)),
      ),
    ).toMatchObject({ success: false, code: 'ERR_BAD_WORK_ITEM' });
  });

  it('is taken from a queue until nothing is left', async () => {
    const env = envOf(({ url }) =>
      url.includes('_all_docs') ? page({ url }) : url.endsWith('/bad') ? json({}, 500) : documentOf('a'),
    );
    const queue = new MemoryQueue(env.clock);
    await queue.enqueue(item('partition', range));
    await queue.enqueue(item('packument', { name: 'a' }, { id: 'a' }));
    await queue.enqueue(item('packument', { name: 'bad' }, { id: 'bad' }));
    expect(await workQueue(queue, env)).toEqual({ succeeded: 2, failed: 1 });
    expect(await queue.size()).toEqual({ waiting: 1, leased: 0, dead: 0 });
    await queue.close();
  });

  it('createStorageDriver here is the one of the cache', async () => {
    const env = envOf((request) => page(request));
    expect(await createStorageDriver(env)).toBe(env.storage);
  });
});
