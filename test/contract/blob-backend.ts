import type { BlobBackend } from '@_all_docs/content';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { breathe, codeOf, collect, inParallel, joined, noise, randomFrom, sameBytes, utf8 } from './_bytes.ts';

export interface BlobBackendContract {
  name: string;
  /** An empty backend; each call gives a fresh one. */
  create: () => BlobBackend | Promise<BlobBackend>;
  /** The same blobs again, by another object; where blobs outlive it. */
  reopen?: (backend: BlobBackend) => BlobBackend | Promise<BlobBackend>;
  destroy?: (backend: BlobBackend) => unknown;
}

const BIG = 20 * 1024 * 1024;
const A = 'blobs/ab/abcd';

/** The bytes as a source of pieces of about that length. */
async function* pieces(bytes: Uint8Array, length = 10_000): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.slice(at, at + length);
}
/** A source that gives some bytes and breaks. */
async function* broken(bytes: number, error: Error): AsyncIterable<Uint8Array> {
  yield* pieces(noise(bytes));
  throw error;
}
async function wholeOf(source: AsyncIterable<Uint8Array> | undefined): Promise<Uint8Array | undefined> {
  return source && joined(await collect(source));
}

/** What every {@link BlobBackend} must do, whatever it is made of. */
export function blobBackendContract({ name, create, reopen, destroy }: BlobBackendContract): void {
  describe(`${name} keeps the blob-backend contract`, () => {
    const made: BlobBackend[] = [];
    let backend: BlobBackend;
    const fresh = async () => {
      const next = await create();
      made.push(next);
      return next;
    };
    const holds = async (path: string, bytes: Uint8Array) => {
      expect(await backend.stat(path)).toMatchObject({ size: bytes.length });
      expect(sameBytes(await wholeOf(await backend.read(path)), bytes), path).toBe(true);
    };
    beforeAll(async () => {
      backend = await fresh();
    });
    afterAll(async () => {
      for (const each of made) await destroy?.(each);
    });

    describe('a blob that is not there', () => {
      it('is a miss, not an error', async () => {
        expect(await backend.read('blobs/no/none')).toBeUndefined();
        expect(await backend.read('blobs/no/none', { start: 0, end: 1 })).toBeUndefined();
        expect(await backend.stat('blobs/no/none')).toBeUndefined();
        await backend.delete('blobs/no/none');
      });

      it('is not found in the place of a folder', async () => {
        await backend.write('blobs/fo/lder', pieces(utf8('x')));
        expect(await backend.stat('blobs/fo')).toBeUndefined();
        expect(await backend.read('blobs/fo')).toBeUndefined();
      });
    });

    describe('write', () => {
      it.each([
        ['nothing', 0],
        ['one byte', 1],
        ['64 KiB less one', 65_535],
        ['64 KiB', 65_536],
        ['256 KiB', 262_144],
        ['256 KiB and one', 262_145],
        ['1 MiB and one', 2 ** 20 + 1],
        ['20 MB', BIG],
      ])('keeps exactly %s', async (about, length) => {
        const path = `blobs/si/${about.replaceAll(' ', '-')}`;
        const bytes = noise(length);
        await backend.write(path, pieces(bytes, 70_000));
        await holds(path, bytes);
      });

      it('takes pieces of any size, empty ones too', async () => {
        const next = randomFrom(3);
        const parts = Array.from({ length: 300 }, (_, i) => noise(Math.floor(next() ** 4 * 40_000), i));
        parts.splice(7, 0, new Uint8Array(0), new Uint8Array(0));
        async function* source() {
          yield* parts;
        }
        await backend.write('blobs/pi/eces', source());
        await holds('blobs/pi/eces', joined(parts));
      });

      it('keeps what a view shows of a larger buffer, and no more', async () => {
        const buffer = noise(1_000);
        await backend.write('blobs/vi/ew', pieces(buffer.subarray(100, 200), 30));
        await holds('blobs/vi/ew', buffer.slice(100, 200));
      });

      it('asks for the name once, after the last byte', async () => {
        let isOver = false;
        const asked: boolean[] = [];
        async function* source() {
          yield utf8('content');
          isOver = true;
        }
        const path = () => {
          asked.push(isOver);
          return 'blobs/na/med';
        };
        await backend.write(path, source());
        expect(asked).toEqual([true]);
        await holds('blobs/na/med', utf8('content'));
        await backend.write(async () => 'blobs/la/ter', pieces(utf8('a promise of a name will do')));
        await holds('blobs/la/ter', utf8('a promise of a name will do'));
      });

      it('of a path that is taken leaves one whole blob, and a new time', async () => {
        await backend.write('blobs/ta/ken', pieces(utf8('the same')));
        const before = (await backend.stat('blobs/ta/ken'))?.modifiedAt as number;
        while (Date.now() <= before + 5) await breathe();
        await backend.write('blobs/ta/ken', pieces(utf8('the same')));
        await holds('blobs/ta/ken', utf8('the same'));
        expect((await backend.stat('blobs/ta/ken'))?.modifiedAt).toBeGreaterThan(before);
        // What was damaged at rest is mended by whoever has the right bytes.
        await backend.write('blobs/ta/ken', pieces(utf8('the SAME')));
        await holds('blobs/ta/ken', utf8('the SAME'));
        await backend.write('blobs/ta/ken', pieces(utf8('longer than before')));
        await holds('blobs/ta/ken', utf8('longer than before'));
      });

      it.each([0, 5, 300_000, 3_000_000])('leaves nothing when the source breaks after %i bytes', async (length) => {
        const own = await fresh();
        const error = new Error('the source broke');
        await expect(own.write('blobs/br/oken', broken(length, error))).rejects.toBe(error);
        expect(await own.stat('blobs/br/oken')).toBeUndefined();
        expect(await collect(own.list('blobs/'))).toEqual([]);
      });

      it.each([5, 300_000])('leaves nothing when the name is refused after %i bytes', async (length) => {
        const own = await fresh();
        const error = new Error('not what it should be');
        const refuse = () => {
          throw error;
        };
        await expect(own.write(refuse, pieces(noise(length)))).rejects.toBe(error);
        await expect(own.write(async () => refuse(), pieces(noise(length)))).rejects.toBe(error);
        expect(await collect(own.list('blobs/'))).toEqual([]);
      });

      it('that fails does no harm to what lies there', async () => {
        await backend.write('blobs/ha/rm', pieces(utf8('unharmed')));
        await backend.write('blobs/ha/rm', broken(300_000, new Error('broke'))).catch(() => undefined);
        await holds('blobs/ha/rm', utf8('unharmed'));
      });

      it('shows nothing before the last byte', async () => {
        const own = await fresh();
        const seen: string[][] = [];
        async function* source() {
          for (let i = 0; i < 5; i++) {
            yield noise(200_000, i);
            seen.push(await collect(own.list('blobs/')));
          }
        }
        await own.write(A, source());
        expect(seen).toEqual([[], [], [], [], []]);
        expect(await collect(own.list('blobs/'))).toEqual([A]);
      });

      it('of one path by many at once leaves one whole blob', async () => {
        const bytes = noise(500_000);
        await Promise.all(Array.from({ length: 8 }, () => backend.write('blobs/ma/ny', pieces(bytes))));
        await holds('blobs/ma/ny', bytes);
      });

      it('of many paths at once keeps them apart', async () => {
        const own = await fresh();
        const sizes = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 300_000 + i : 10 * i));
        await inParallel([...sizes.entries()], 12, ([i, size]) => own.write(`blobs/pa/${i}`, pieces(noise(size, i))));
        for (const [i, size] of sizes.entries()) {
          expect(sameBytes(await wholeOf(await own.read(`blobs/pa/${i}`)), noise(size, i)), `${i}`).toBe(true);
        }
      });
    });

    describe('read', () => {
      const bytes = noise(1_000_000, 9);
      beforeAll(() => backend.write('blobs/ra/nge', pieces(bytes)));

      it.each([
        [0, 0],
        [0, 1],
        [0, 1_000_000],
        [1, 1_000_000],
        [999_999, 1_000_000],
        [1_000_000, 1_000_000],
        [65_530, 65_540],
        [262_143, 524_289],
        [10, 999_990],
      ])('gives exactly the range %i to %i', async (start, end) => {
        const given = await wholeOf(await backend.read('blobs/ra/nge', { start, end }));
        expect(sameBytes(given, bytes.slice(start, end))).toBe(true);
      });

      it.each([
        [-1, 5],
        [5, 4],
        [0, 1_000_001],
        [1_000_001, 1_000_001],
        [0.5, 3],
        [0, Number.NaN],
        [0, Number.POSITIVE_INFINITY],
      ])('refuses the range %d to %d with ERR_BAD_RANGE', async (start, end) => {
        expect(await codeOf(() => backend.read('blobs/ra/nge', { start, end }))).toBe('ERR_BAD_RANGE');
      });

      it('gives pieces that stay as they are when the next ones come', async () => {
        const parts = await collect((await backend.read('blobs/ra/nge')) as AsyncIterable<Uint8Array>);
        expect(sameBytes(joined(parts), bytes)).toBe(true);
        for (const part of parts) part.fill(0);
        await holds('blobs/ra/nge', bytes);
      });

      it('that has begun ends well though the blob is deleted', async () => {
        await backend.write('blobs/de/leted', pieces(bytes));
        const source = (await backend.read('blobs/de/leted')) as AsyncIterable<Uint8Array>;
        const parts: Uint8Array[] = [];
        for await (const part of source) {
          if (parts.length === 0) await backend.delete('blobs/de/leted');
          parts.push(part);
        }
        expect(sameBytes(joined(parts), bytes)).toBe(true);
        expect(await backend.read('blobs/de/leted')).toBeUndefined();
      });

      it('may be left, or never begun, by as many as there are', async () => {
        for (let i = 0; i < 300; i++) {
          const source = (await backend.read('blobs/ra/nge')) as AsyncIterable<Uint8Array>;
          if (i % 2 === 0) for await (const _ of source) break;
        }
        await holds('blobs/ra/nge', bytes);
      });
    });

    describe('list', () => {
      it('gives paths by prefix in the order of their bytes', async () => {
        const own = await fresh();
        const paths = [
          'blobs/ab/a',
          'blobs/ab/b',
          'blobs/ab-c',
          'blobs/ab.c',
          'blobs/b',
          'blobs/sha256/ab/a',
          'blobs/zz/z',
        ];
        for (const path of paths.toReversed()) await own.write(path, pieces(utf8(path)));
        const sorted = paths.toSorted();
        expect(await collect(own.list('blobs/'))).toEqual(sorted);
        expect(await collect(own.list(''))).toEqual(sorted);
        for (const prefix of [
          'blobs/a',
          'blobs/ab',
          'blobs/ab/',
          'blobs/ab/a',
          'blobs/s',
          'blobs/sha256/ab',
          'blobs/x',
          'x',
        ])
          expect(await collect(own.list(prefix)), prefix).toEqual(sorted.filter((path) => path.startsWith(prefix)));
      });

      it('says nothing of what was deleted', async () => {
        const own = await fresh();
        await own.write('blobs/a/1', pieces(utf8('1')));
        await own.write('blobs/a/2', pieces(utf8('2')));
        await own.delete('blobs/a/1');
        await own.delete('blobs/a/1');
        expect(await collect(own.list('blobs/'))).toEqual(['blobs/a/2']);
        expect(await own.stat('blobs/a/1')).toBeUndefined();
      });
    });

    it.skipIf(!reopen)('keeps its blobs when it is opened again', async () => {
      const own = await fresh();
      const bytes = noise(700_000, 5);
      await own.write(A, pieces(bytes));
      const again = (await reopen?.(own)) as BlobBackend;
      expect(sameBytes(await wholeOf(await again.read(A)), bytes)).toBe(true);
      expect(await collect(again.list('blobs/'))).toEqual([A]);
    });
  });
}
