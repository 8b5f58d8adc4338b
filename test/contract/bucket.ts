import { type Bucket, bytesOf } from '@_all_docs/worker-node/object-stores';
import { beforeAll, describe, expect, it } from 'vitest';
import { collect, noise, sameBytes, utf8 } from './_bytes.ts';

/** What every {@link Bucket} must do beyond what blobs need: conditions, versions, listing. */
export function bucketContract({ name, create }: { name: string; create: () => Promise<Bucket> }): void {
  describe(`${name} keeps the bucket contract`, () => {
    let bucket: Bucket;
    beforeAll(async () => {
      bucket = await create();
    });
    const textOf = async (key: string) => {
      const object = await bucket.get(key);
      return object && Buffer.from(await bytesOf(object)).toString();
    };
    const keysOf = async (prefix: string, options?: { after?: string; limit?: number }) =>
      (await collect(bucket.list(prefix, options))).map(({ key }) => key);

    it('can be checked', () => bucket.check());

    it('misses with undefined', async () => {
      expect(await bucket.get('no/thing')).toBeUndefined();
      expect(await bucket.head('no/thing')).toBeUndefined();
      expect(await bucket.delete('no/thing')).toBe(true);
    });

    it('gives bytes, metadata and the version that put said', async () => {
      const version = await bucket.put('it/is', utf8('content'), { metadata: { 'written-at': '5', other: 'x' } });
      expect(version).toBeTruthy();
      expect(await textOf('it/is')).toBe('content');
      expect(await bucket.head('it/is')).toMatchObject({
        version,
        size: 7,
        metadata: { 'written-at': '5', other: 'x' },
      });
    });

    it('keeps nothing, as an object without bytes', async () => {
      await bucket.put('empty', new Uint8Array(0));
      expect(await textOf('empty')).toBe('');
      expect(await bucket.head('empty')).toMatchObject({ size: 0 });
    });

    it('puts only where nothing is, when told so', async () => {
      expect(await bucket.put('only/absent', utf8('first'), { only: 'absent' })).toBeTruthy();
      expect(await bucket.put('only/absent', utf8('second'), { only: 'absent' })).toBeUndefined();
      expect(await textOf('only/absent')).toBe('first');
    });

    it('puts only over the version that was named', async () => {
      const first = (await bucket.put('only/version', utf8('1'))) as string;
      const second = (await bucket.put('only/version', utf8('2'), { only: { version: first } })) as string;
      expect(second).not.toBe(first);
      expect(await bucket.put('only/version', utf8('3'), { only: { version: first } })).toBeUndefined();
      expect(await textOf('only/version')).toBe('2');
      await bucket.delete('only/version');
      expect(await bucket.put('only/version', utf8('4'), { only: { version: second } })).toBeUndefined();
      expect(await textOf('only/version')).toBeUndefined();
    });

    it('lets exactly one of 30 rivals win, whatever they were told to replace', async () => {
      let held: string | undefined;
      for (let round = 0; round < 3; round++) {
        const only = held === undefined ? 'absent' : { version: held };
        const all = await Promise.all(
          Array.from({ length: 30 }, (_, i) => bucket.put('rivals', utf8(`${round} ${i}`), { only })),
        );
        const won = all.flatMap((version, i) => (version === undefined ? [] : [{ version, i }]));
        expect(won).toHaveLength(1);
        expect(await textOf('rivals')).toBe(`${round} ${won[0]?.i}`);
        held = won[0]?.version;
      }
    });

    it('deletes only the version that was named', async () => {
      const first = (await bucket.put('only/deleted', utf8('1'))) as string;
      await bucket.put('only/deleted', utf8('2'));
      expect(await bucket.delete('only/deleted', { version: first })).toBe(false);
      expect(await textOf('only/deleted')).toBe('2');
      const { version } = (await bucket.head('only/deleted')) as { version: string };
      expect(await bucket.delete('only/deleted', { version })).toBe(true);
      expect(await bucket.head('only/deleted')).toBeUndefined();
    });

    it('uploads what comes in pieces, and leaves nothing of what breaks', async () => {
      const bytes = noise(9_000_000);
      await bucket.upload('tmp/large', pieces(bytes));
      const object = await bucket.get('tmp/large');
      expect(object && sameBytes(await bytesOf(object), bytes)).toBe(true);
      const error = new Error('broke');
      await expect(bucket.upload('tmp/broken', pieces(bytes, error))).rejects.toBe(error);
      expect(await keysOf('tmp/')).toEqual(['tmp/large']);
      expect(await bucket.abandonUploads(Date.now() + 60_000)).toBe(0);
    });

    it('copies with other metadata', async () => {
      await bucket.put('copy/from', utf8('x'), { metadata: { 'written-at': '1' } });
      await bucket.copy('copy/from', 'copy/to', { metadata: { 'written-at': '2' } });
      expect(await textOf('copy/to')).toBe('x');
      expect((await bucket.head('copy/to'))?.metadata).toEqual({ 'written-at': '2' });
    });

    it('lists by prefix, past a key, and no more than the limit, in the order of bytes', async () => {
      const keys = ['list/a!1', 'list/a.zst!1', 'list/a/b', 'list/aa', 'list/b'];
      for (const key of keys.toReversed()) await bucket.put(key, utf8(key));
      expect(await keysOf('list/')).toEqual(keys);
      for (let at = 0; at < keys.length; at++) {
        expect(await keysOf('list/', { after: keys[at] as string })).toEqual(keys.slice(at + 1));
        expect(await keysOf('list/', { limit: at })).toEqual(keys.slice(0, at));
        expect(await keysOf('list/', { after: keys[0] as string, limit: at })).toEqual(keys.slice(1, 1 + at));
      }
      expect(await keysOf('list/a')).toEqual(keys.slice(0, 4));
      expect(await keysOf('nothing')).toEqual([]);
    });

    it('lists more than a page, with sizes and times', async () => {
      const keys = Array.from({ length: 1_100 }, (_, i) => `many/${String(i).padStart(5, '0')}`);
      for (let i = 0; i < keys.length; i += 100) {
        await Promise.all(keys.slice(i, i + 100).map((key) => bucket.put(key, utf8('12'))));
      }
      const listed = await collect(bucket.list('many/'));
      expect(listed.map(({ key }) => key)).toEqual(keys);
      expect(new Set(listed.map(({ size }) => size))).toEqual(new Set([2]));
      for (const { modifiedAt } of listed) expect(Math.abs(modifiedAt - Date.now())).toBeLessThan(120_000);
    });
  });
}

async function* pieces(bytes: Uint8Array, error?: Error): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 500_000) yield bytes.slice(at, at + 500_000);
  if (error) throw error;
}
