import { compareBytes, type OrderedStore } from '@_all_docs/cache';
import { type Change, ChangeLog } from '@_all_docs/changes';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { collect } from './_bytes.ts';
import { AWKWARD_NAMES } from './names.ts';

const ORIGIN = 'https://registry.example.test';
const SEED = 20250601;
const WHOLE = { startKey: null, endKey: null };

const change = (seq: number, name: string, rev: string | undefined = `1-${name}`, deleted = false): Change => ({
  seq,
  name,
  rev,
  deleted,
});

/** What a {@link ChangeLog} must do over every ordered store. */
export function changeLogContract({
  name: store,
  create,
  destroy,
}: {
  name: string;
  create: () => OrderedStore | Promise<OrderedStore>;
  destroy?: (store: OrderedStore) => unknown;
}): void {
  describe(`ChangeLog over ${store}`, () => {
    const made: OrderedStore[] = [];
    let ordered: OrderedStore;
    let log: ChangeLog;
    const fresh = async () => {
      ordered = await create();
      made.push(ordered);
      log = new ChangeLog({ ordered, origin: ORIGIN });
      return log;
    };
    beforeEach(fresh);
    afterAll(async () => {
      for (const each of made) await destroy?.(each);
    });
    const names = async (range = WHOLE as { startKey: string | null; endKey: string | null }) =>
      (await collect(log.byName(range))).map(({ name }) => name);

    it('misses with undefined', async () => {
      expect(await log.get('a')).toBeUndefined();
      expect(await log.head()).toBeUndefined();
      expect(await log.count()).toEqual({ names: 0, deleted: 0 });
      expect(await log.after(0, 10)).toEqual([]);
    });

    it('keeps one row a name, at its latest sequence', async () => {
      const rows = [change(3, 'a'), change(5, 'b'), change(9, 'a', '2-a', true)];
      expect(await log.apply(rows.slice(0, 2))).toEqual(rows.slice(0, 2));
      expect(await log.apply(rows.slice(2))).toEqual(rows.slice(2));
      expect(await log.get('a')).toEqual(rows[2]);
      expect(await log.after(0, 10)).toEqual(rows.slice(1));
      expect(await log.after(5, 10)).toEqual(rows.slice(2));
      expect(await log.after(0, 1)).toEqual([rows[1]]);
      expect(await log.head()).toBe(9);
      expect(await log.count()).toEqual({ names: 2, deleted: 1 });
    });

    it('takes the same again, or an older sequence, for no news', async () => {
      const rows = [change(9, 'a', '2-a'), change(11, 'b', undefined)];
      await log.apply(rows);
      expect(await log.apply([...rows, change(4, 'a', '1-a', true)])).toEqual([]);
      expect(await log.after(0)).toEqual(rows);
    });

    it('keeps two names apart that an origin gives one sequence', async () => {
      await log.apply([change(5, 'a'), change(5, 'b')]);
      await log.apply([change(6, 'a', '2-a')]);
      expect((await log.after(0)).map(({ name }) => name)).toEqual(['b', 'a']);
    });

    it('keeps names of any text, in the order of their bytes', async () => {
      const texts = AWKWARD_NAMES.map(({ text }) => text);
      const rows = texts.map((text, i) => change(i + 1, text, `1-\u{1f600}+-${i}`));
      await log.apply(rows);
      expect(await log.after(0)).toEqual(rows);
      expect(await names()).toEqual([...texts].sort(compareBytes));
      for (const row of rows) expect(await log.get(row.name)).toEqual(row);
    });

    it('gives the names of a range, its end left out', async () => {
      await log.apply(['a', 'ab', 'b', 'ba', 'c', '@s/x'].map((name, i) => change(i + 1, name)));
      expect(await names({ startKey: 'ab', endKey: 'ba' })).toEqual(['ab', 'b']);
      expect(await names({ startKey: null, endKey: 'a' })).toEqual(['@s/x']);
      expect(await names({ startKey: 'b', endKey: null })).toEqual(['b', 'ba', 'c']);
    });

    it('keeps the logs of two origins apart', async () => {
      const other = new ChangeLog({ ordered, origin: `${ORIGIN}/2` });
      await log.apply([change(1, 'a')]);
      expect(await other.get('a')).toBeUndefined();
      expect(await other.head()).toBeUndefined();
      await other.apply([change(7, 'b')]);
      expect(await names()).toEqual(['a']);
    });

    it('forgets rows up to a sequence, or all', async () => {
      await log.apply(Array.from({ length: 2500 }, (_, i) => change(i + 1, `n${i}`, undefined, i % 2 === 0)));
      await log.clear({ at: 1, upTo: 2400 });
      expect((await log.after(0)).map(({ seq }) => seq)).toEqual(Array.from({ length: 100 }, (_, i) => 2401 + i));
      expect([await log.head(), await log.count()]).toEqual([2500, { names: 100, deleted: 50 }]);
      await log.clear({ at: 2 });
      expect(await names()).toEqual([]);
      expect([await log.head(), await log.count()]).toEqual([undefined, { names: 0, deleted: 0 }]);
      // A new epoch may count from lower numbers.
      expect(await log.apply([change(1, 'n7')])).toHaveLength(1);
    });

    it('says of a name what it knows, and since when it may not know all', async () => {
      const [first, second] = [change(1, 'a'), change(2, 'b')];
      await log.apply([first, second]);
      expect(await log.announced('a')).toEqual({ change: first, clearedAt: undefined });
      await log.clear({ at: 1_000, upTo: 1 });
      expect(await log.announced('a')).toEqual({ change: undefined, clearedAt: 1_000 });
      expect(await log.announced('b')).toEqual({ change: second, clearedAt: 1_000 });
      // Nothing is left to be forgotten: it was a new list of names nevertheless.
      await log.clear({ at: 2_000, upTo: 1 });
      await log.apply([change(3, 'b')]);
      expect(await log.announced('b')).toEqual({ change: change(3, 'b'), clearedAt: 2_000 });
    });

    it.each([-1, 0.5, Number.NaN])('refuses a sequence of %d, and applies nothing', async (seq) => {
      const error = await log.apply([change(1, 'a'), change(seq, 'b')]).catch((thrown: unknown) => thrown);
      expect((error as { code: string }).code).toBe('ERR_BAD_SEQUENCE');
      expect(await names()).toEqual([]);
    });

    it('ends the same in whatever order, and however often, several processes apply', async () => {
      const row = fc.record({
        seq: fc.integer({ min: 1, max: 60 }),
        name: fc.constantFrom('a', 'b', 'c', '@s/a', '__proto__'),
        deleted: fc.boolean(),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(row, { maxLength: 6 }), { maxLength: 8 }), async (batches) => {
          await fresh();
          const made = batches.map((batch) =>
            batch.map((each) => change(each.seq, each.name, `${each.seq}-r`, each.deleted)),
          );
          const processes = made.map((batch) => new ChangeLog({ ordered, origin: ORIGIN }).apply(batch));
          await Promise.all(processes);
          const latest = new Map<string, number>();
          for (const { name, seq } of made.flat()) latest.set(name, Math.max(seq, latest.get(name) ?? -1));
          const held = await collect(log.byName(WHOLE));
          expect(new Map(held.map(({ name, seq }) => [name, seq]))).toEqual(latest);
          const bySeq = [...held].sort((a, b) => a.seq - b.seq || compareBytes(a.name, b.name));
          expect(await log.after(0)).toEqual(bySeq);
          const deleted = held.filter((each) => each.deleted).length;
          expect(await log.count()).toEqual({ names: held.length, deleted });
          expect(await log.head()).toBe(held.length > 0 ? bySeq.at(-1)?.seq : undefined);
        }),
        { seed: SEED, numRuns: 60 },
      );
    });
  });
}
