import { createPackumentKey } from '@_all_docs/cache';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';
import { documentOf, gzipped, REGISTRY, setUp } from './_registry.ts';

const { body } = gzipped(documentOf('a'));
const metadata = {
  storedAt: 1_600_000_000_000,
  encoding: 'gzip' as const,
  size: body.length,
  etag: '"of the registry"',
};

const NEWEST = { announced: undefined };

describe('a document that another replica holds', () => {
  it('is kept byte for byte, with its metadata and its time, and nobody is asked', async () => {
    const { client, storage, requests } = setUp();
    await client.adopt('a', { body, metadata }, NEWEST);
    const entry = await storage.read(createPackumentKey('a', REGISTRY));
    expect(entry?.body).toEqual(body);
    expect(entry?.metadata).toMatchObject(metadata);
    expect(requests).toEqual([]);
  });

  it('is not kept when it is from before the announced revision, or before what is held', async () => {
    const { client } = setUp();
    const at = (rev: string) => ({ body, metadata: { ...metadata, rev } });
    expect(await client.adopt('a', at('3-a'), { announced: '4-b' })).toBe(false);
    expect(await client.held('a')).toBeUndefined();
    expect(await client.adopt('a', at('4-b'), { announced: '4-b' })).toBe(true);
    expect(await client.adopt('a', at('3-a'), { announced: '2-a' })).toBe(false);
    expect(await client.heldMetadata('a')).toMatchObject({ rev: '4-b' });
    expect(await client.adopt('a', at('5-c'), { announced: '4-b' })).toBe(true);
  });

  it.each([
    ['bears another name', gzipped(documentOf('b')).body, 'ERR_BAD_PACKUMENT'],
    ['is no JSON', gzipped('{"name":"a"').body, 'ERR_BAD_PACKUMENT'],
    ['is damaged', body.slice(0, -3), 'ERR_ENCODING'],
  ])('is refused with parse when it %s, and what was held stays', async (_, bytes, code) => {
    const { client, storage } = setUp({ check: 'parse' });
    await client.adopt('a', { body, metadata }, NEWEST);
    expect(await codeOf(() => client.adopt('a', { body: bytes, metadata }, NEWEST))).toBe(code);
    expect((await storage.read(createPackumentKey('a', REGISTRY)))?.body).toEqual(body);
  });
});
