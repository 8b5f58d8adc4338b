import type { OrderedStore, RowRange } from '@_all_docs/cache';
import { prefixRange } from '@_all_docs/cache';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byBytes, collect, inParallel, noise } from './_bytes.ts';
import { AWKWARD_NAMES } from './names.ts';

export interface OrderedStoreContract {
  name: string;
  /** An empty store; each call gives a fresh one. */
  create: () => OrderedStore | Promise<OrderedStore>;
  /** Closes the store and opens it again; where rows outlive the object. */
  reopen?: (store: OrderedStore) => OrderedStore | Promise<OrderedStore>;
  destroy?: (store: OrderedStore) => unknown;
  /** Thousands of small reads take too long here: some of them will do. */
  slow?: { reason: string };
}

/** A change of a row. Without a value the row says its own key; `undefined` removes it. */
const row = (key: string, ...told: [value?: string | undefined]) => ({
  key,
  value: told.length === 0 ? `value of ${key}` : told[0],
});
const keysOf = async (rows: AsyncIterable<[string, string]>) => (await collect(rows)).map(([key]) => key);

/** What every {@link OrderedStore} must do. */
export function orderedStoreContract({ name, create, reopen, destroy, slow }: OrderedStoreContract): void {
  describe(`${name} keeps the ordered-store contract`, () => {
    const made: OrderedStore[] = [];
    const fresh = async () => {
      const store = await create();
      made.push(store);
      return store;
    };
    let store: OrderedStore;
    beforeAll(async () => {
      store = await fresh();
    });
    afterAll(async () => {
      for (const each of made) await destroy?.(each);
    });

    describe('get', () => {
      it('misses with undefined', async () => {
        expect(await store.get('get:nothing')).toBeUndefined();
      });

      it('gives what was committed last', async () => {
        await store.commit([row('get:it', 'first')]);
        await store.commit([row('get:it', 'second')]);
        expect(await store.get('get:it')).toBe('second');
        await store.commit([row('get:it', undefined)]);
        expect(await store.get('get:it')).toBeUndefined();
      });

      it.each([
        ['the empty text', ''],
        ['quotes', `'"\`\\'; DROP TABLE rows; --`],
        ['a NUL', 'before\0after\0'],
        ['astral characters', '\u{1f600}\u{10ffff}\uff5e\ufffd\ufeff'],
        ['both forms of an accent', '\u00e9e\u0301'],
        ['line ends', '\r\n\u2028'],
        ['what looks like a number', '0012'],
        ['what looks like a large number', '9007199254740993'],
        ['what looks like null', 'null'],
        ['a megabyte', Array.from(noise(250_000), (byte) => byte.toString(16).padStart(4, '0')).join('')],
      ])('carries %s', async (about, value) => {
        await store.commit([row(`value:${about}`, value)]);
        expect(await store.get(`value:${about}`)).toBe(value);
        expect(await collect(store.list(prefixRange(`value:${about}`)))).toEqual([[`value:${about}`, value]]);
      });

      it('keeps keys of any text apart', async () => {
        await store.commit(AWKWARD_NAMES.map(({ text }) => row(`key:${text}`, `is ${text}`)));
        for (const { text } of AWKWARD_NAMES) expect(await store.get(`key:${text}`)).toBe(`is ${text}`);
        expect(await keysOf(store.list(prefixRange('key:')))).toEqual(
          AWKWARD_NAMES.map(({ text }) => `key:${text}`).sort(byBytes),
        );
      });

      it('keeps bare keys of any text apart', async () => {
        const own = await fresh();
        await own.commit(AWKWARD_NAMES.map(({ text }) => row(text)));
        expect(await keysOf(own.list())).toEqual(AWKWARD_NAMES.map(({ text }) => text).sort(byBytes));
        await own.commit([row('a', undefined)]);
        expect(await own.get('A')).toBe('value of A');
        expect(await own.get('a')).toBeUndefined();
      });

      it('takes the empty key like any other', async () => {
        const own = await fresh();
        await own.commit([row('', 'empty'), row('a')]);
        expect(await own.get('')).toBe('empty');
        expect(await keysOf(own.list())).toEqual(['', 'a']);
        expect(await keysOf(own.list({ after: '' }))).toEqual(['a']);
      });
    });

    describe('list', () => {
      const KEYS = [
        'a',
        'a!',
        'a:1',
        'a:10',
        'a:2',
        'aa',
        'b',
        'B',
        '\u00e9',
        '\u00e9\u{10ffff}',
        '\uff5e',
        '\u{1f600}',
        '\u{10ffff}',
      ].sort(byBytes);
      let own: OrderedStore;
      beforeAll(async () => {
        own = await fresh();
        await own.commit([...KEYS].reverse().map((key) => row(key)));
      });

      it("gives rows in the order of their keys' bytes", async () => {
        expect(await collect(own.list())).toEqual(KEYS.map((key) => [key, `value of ${key}`]));
        expect(await keysOf(own.list({}))).toEqual(KEYS);
      });

      it(`gives ${slow ? `one range in eleven (${slow.reason})` : 'any range'} as a plain filter would`, async () => {
        const marks = [
          undefined,
          '0',
          'a',
          'a:',
          'a:15',
          'aa',
          'b',
          'c',
          '\u00e9',
          '\uff5e',
          '\u{1f600}',
          '\u{10ffff}',
          '\u{10ffff}z',
        ];
        const ranges: RowRange[] = marks.flatMap((start) =>
          marks.flatMap((end) =>
            marks.flatMap((after) => [undefined, 1, 3].map((limit) => ({ start, end, after, limit }))),
          ),
        );
        const some = slow ? ranges.filter((_, i) => i % 11 === 0) : ranges;
        await inParallel(some, 32, async (range) => {
          const { start, end, after, limit } = range;
          const expected = KEYS.filter(
            (key) =>
              (start === undefined || byBytes(key, start) >= 0) &&
              (end === undefined || byBytes(key, end) < 0) &&
              (after === undefined || byBytes(key, after) > 0),
          ).slice(0, limit);
          expect(await keysOf(own.list(range)), JSON.stringify(range)).toEqual(expected);
        });
      });

      it.each([0, 1, KEYS.length, KEYS.length + 1, Number.POSITIVE_INFINITY])(
        'no more rows than the limit %s',
        async (limit) => {
          expect(await keysOf(own.list({ limit }))).toEqual(KEYS.slice(0, limit));
        },
      );

      it('by prefix gives all that begin with it and nothing else', async () => {
        for (const prefix of ['', 'a', 'a:', 'a:1', 'b', '\u00e9', '\uff5e', '\u{1f600}', 'nothing']) {
          expect(await keysOf(own.list(prefixRange(prefix))), prefix).toEqual(
            KEYS.filter((key) => key.startsWith(prefix)),
          );
        }
      });

      it('goes past 1,000 rows, in one listing and in pages', async () => {
        const many = await fresh();
        const keys = Array.from({ length: 3_333 }, (_, i) => `row:${String(i).padStart(5, '0')}`);
        await many.commit([...keys].reverse().map((key) => row(key, key)));
        expect(await keysOf(many.list())).toEqual(keys);
        for (const limit of [999, 1_000, 1_001, 2_000, 2_001, 3_332, 3_333, 3_334])
          expect(await keysOf(many.list({ limit }))).toEqual(keys.slice(0, limit));
        for (const size of [100, 999, 1_000, 1_001]) {
          const seen: string[] = [];
          for (
            let page: string[] = [], after: string | undefined;
            seen.length === 0 || page.length === size;
            after = page.at(-1)
          ) {
            page = await keysOf(many.list({ ...prefixRange('row:'), after, limit: size }));
            seen.push(...page);
          }
          expect(seen).toEqual(keys);
        }
      });

      it('gives no row twice and loses none while others commit', async () => {
        const busy = await fresh();
        const keys = Array.from({ length: 2_500 }, (_, i) => `row:${String(i * 2).padStart(5, '0')}`);
        await busy.commit(keys.map((key) => row(key)));
        const seen: string[] = [];
        let i = 0;
        for await (const [key] of busy.list()) {
          seen.push(key);
          if (seen.length % 50 !== 0) continue;
          i += 1;
          await busy.commit([
            row(`row:${String(i * 97).padStart(5, '0')}x`),
            row(keys[i] as string, 'new'),
            row('row:0', undefined),
            row('zzz', String(i)),
          ]);
        }
        const there = new Set(keys);
        expect(seen.filter((key) => there.has(key))).toEqual(keys);
        expect([...new Set(seen)].sort(byBytes)).toEqual(seen);
      });

      it('may be left early', async () => {
        for await (const [key] of own.list()) {
          expect(key).toBe(KEYS[0]);
          break;
        }
        expect(await own.commit([row('left', '1'), row('left', undefined)])).toBe(true);
        expect(await keysOf(own.list())).toEqual(KEYS);
      });
    });

    describe('commit', () => {
      it('makes all changes, the last one of a key counts', async () => {
        expect(
          await store.commit([
            row('commit:a', '1'),
            row('commit:b', '2'),
            row('commit:a', '3'),
            row('commit:c', '4'),
            row('commit:c', undefined),
          ]),
        ).toBe(true);
        expect(await collect(store.list(prefixRange('commit:')))).toEqual([
          ['commit:a', '3'],
          ['commit:b', '2'],
        ]);
      });

      it('of nothing is done', async () => {
        expect(await store.commit([])).toBe(true);
        expect(await store.commit([], [row('commit:never', undefined)])).toBe(true);
      });

      it('removes what is not there without complaint', async () => {
        expect(await store.commit([row('commit:never', undefined)])).toBe(true);
      });

      it('makes no change when one expectation does not hold', async () => {
        await store.commit([row('cas:a', 'one'), row('cas:empty', '')]);
        const changes = [row('cas:a', 'two'), row('cas:b', 'new'), row('cas:empty', undefined)];
        for (const wrong of [
          row('cas:a', 'other'),
          row('cas:a', undefined),
          row('cas:a', 'ONE'),
          row('cas:b', ''),
          row('cas:empty', undefined),
          row('cas:none', 'x'),
        ]) {
          expect(await store.commit(changes, [row('cas:a', 'one'), wrong])).toBe(false);
          expect(await collect(store.list(prefixRange('cas:')))).toEqual([
            ['cas:a', 'one'],
            ['cas:empty', ''],
          ]);
        }
      });

      it('makes them when all hold', async () => {
        const held = [row('cas:a', 'one'), row('cas:b', undefined), row('cas:empty', '')];
        expect(await store.commit([row('cas:a', 'two'), row('cas:b', 'new'), row('cas:empty', undefined)], held)).toBe(
          true,
        );
        expect(await collect(store.list(prefixRange('cas:')))).toEqual([
          ['cas:a', 'two'],
          ['cas:b', 'new'],
        ]);
      });

      it('compares values exactly', async () => {
        for (const [held, asked] of [
          ['a', 'a '],
          ['a\0b', 'a\0c'],
          ['\u00e9', 'e\u0301'],
          ['1', '1.0'],
          ['0x1', '1'],
        ] as const) {
          await store.commit([row('exact', held)]);
          expect(await store.commit([row('exact', 'changed')], [row('exact', asked)])).toBe(false);
          expect(await store.commit([row('exact', 'changed')], [row('exact', held)])).toBe(true);
        }
      });

      it('lets exactly one of many rivals win', async () => {
        const claims = Array.from({ length: 50 }, (_, i) =>
          store.commit([row('lease', `owner ${i}`), row(`won:${i}`)], [row('lease', undefined)]),
        );
        const won = (await Promise.all(claims)).flatMap((done, i) => (done ? [i] : []));
        expect(won).toHaveLength(1);
        expect(await store.get('lease')).toBe(`owner ${won[0]}`);
        expect(await keysOf(store.list(prefixRange('won:')))).toEqual([`won:${won[0]}`]);
        const steals = ['x', 'y'].map((owner) =>
          store.commit([row('lease', owner)], [row('lease', `owner ${won[0]}`)]),
        );
        expect((await Promise.all(steals)).sort()).toEqual([false, true]);
      });

      it('judges each of many by itself, in their order', async () => {
        await store.commit([row('count', '0')]);
        const done = await Promise.all(
          Array.from({ length: 200 }, (_, i) =>
            store.commit(
              [row('count', String(i + 1)), row(`each:${i}`)],
              [row('count', String(i % 3 === 2 ? 'never' : lastOf(i)))],
            ),
          ),
        );
        // Every third one expects what never is; the others follow each other.
        expect(done).toEqual(Array.from({ length: 200 }, (_, i) => i % 3 !== 2));
        expect((await keysOf(store.list(prefixRange('each:')))).length).toBe(done.filter(Boolean).length);
      });

      it('adds up whoever counts with compare-and-set', async () => {
        await store.commit([row('sum', '0')]);
        const add = async () => {
          for (;;) {
            const held = await store.get('sum');
            if (await store.commit([row('sum', String(Number(held) + 1))], [row('sum', held)])) return;
          }
        };
        await Promise.all(Array.from({ length: 40 }, add));
        expect(await store.get('sum')).toBe('40');
      });

      it('shows no half of a commit', async () => {
        await store.commit([row('pair:a', '0'), row('pair:b', '0')]);
        const halves: Promise<boolean>[] = [];
        for (let i = 1; i <= 100; i++) {
          const done = store.commit([row('pair:a', String(i)), row('pair:b', String(i))]);
          for (const [a, b] of [
            [i, i - 1],
            [i - 1, i],
          ])
            halves.push(store.commit([], [row('pair:a', String(a)), row('pair:b', String(b))]));
          if (i % 2 === 0) await done;
        }
        expect((await Promise.all(halves)).filter(Boolean)).toEqual([]);
      });

      it('takes 10,000 changes at once', async () => {
        const own = await fresh();
        expect(await own.commit(Array.from({ length: 10_000 }, (_, i) => row(`bulk:${i}`, String(i))))).toBe(true);
        expect((await keysOf(own.list())).length).toBe(10_000);
        expect(await own.commit(Array.from({ length: 10_000 }, (_, i) => row(`bulk:${i}`, undefined)))).toBe(true);
        expect(await keysOf(own.list())).toEqual([]);
      });
    });

    describe.skipIf(!reopen)(`after it was opened again${reopen ? '' : ' (off: nothing outlives this store)'}`, () => {
      it('has every row, in order', async () => {
        const own = await create();
        await own.commit(AWKWARD_NAMES.map(({ text }) => row(text)));
        await own.commit([row('a', undefined), row('A', 'changed')]);
        const pending = own.commit([row('last', 'pending')]);
        const again = await (reopen as NonNullable<typeof reopen>)(own);
        expect(await pending).toBe(true);
        made.push(again);
        const kept = [...AWKWARD_NAMES.map(({ text }) => text).filter((text) => text !== 'a'), 'last'].sort(byBytes);
        expect(await keysOf(again.list())).toEqual(kept);
        expect([await again.get('a'), await again.get('A'), await again.get('last')]).toEqual([
          undefined,
          'changed',
          'pending',
        ]);
      });
    });
  });
}

/** What `count` says when commit `i` is judged: the number of the last one before it that was done. */
function lastOf(i: number): number {
  return i === 0 ? 0 : (i - 1) % 3 === 2 ? i - 1 : i;
}
