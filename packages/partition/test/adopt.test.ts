import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { AllDocsOrigin, clientOf } from './_all-docs-origin.ts';

const RANGE = { startKey: 'b', endKey: 'd' };
const page = (...ids: string[]) =>
  new Uint8Array(
    gzipSync(
      JSON.stringify({
        total_rows: 9,
        offset: 0,
        rows: ids.map((id) => ({ id, key: id, value: { rev: '1-a' } })),
      }),
    ),
  );

describe('a partition as another replica holds it', () => {
  it('is kept as it is, and nobody is asked', async () => {
    const origin = new AllDocsOrigin([]);
    const { client, storage } = clientOf(origin);
    const packed = page('b', 'c');
    expect(await client.adopt(RANGE, packed, 2)).toHaveLength(2);
    for await (const key of storage.list()) expect((await storage.read(key))?.body).toEqual(packed);
    expect((await client.held(RANGE))?.map(({ id }) => id)).toEqual(['b', 'c']);
    expect(origin.requests).toEqual([]);
  });

  it.each([
    ['holds a name of another range', page('b', 'd'), 2],
    ['holds a name twice', page('b', 'b'), 2],
    ['is out of order', page('c', 'b'), 2],
    ['has fewer rows than were announced', page('b'), 2],
    ['has more rows than were announced', page('b', 'c'), 1],
    ['is cut', page('b', 'c').slice(0, -9), 2],
    ['is no page', new Uint8Array(gzipSync('{}')), 0],
  ])('is refused when it %s, and nothing is kept', async (_, packed, count) => {
    const { client } = clientOf(new AllDocsOrigin([]));
    expect(await client.adopt(RANGE, packed, count)).toBeUndefined();
    expect(await client.held(RANGE)).toBeUndefined();
  });
});
