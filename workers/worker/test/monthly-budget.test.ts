import { MemoryOrderedStore, type OrderedStore } from '@_all_docs/cache';
import { MonthlyBudget } from '@_all_docs/worker';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';

fc.configureGlobal({ seed: 20250601 });

const JANUARY = Date.UTC(2025, 0, 31, 23, 59, 59);
const FEBRUARY = Date.UTC(2025, 1, 1);

function clockAt(time: number) {
  const clock = { time, now: () => clock.time };
  return clock;
}

/** A store that answers after as many turns as `delay` says. */
function slowStore(delay: () => number): OrderedStore {
  const inner = new MemoryOrderedStore();
  const wait = async () => {
    for (let i = delay(); i > 0; i--) await Promise.resolve();
  };
  return {
    get: async (key) => {
      await wait();
      return inner.get(key);
    },
    list: (range) => inner.list(range),
    commit: async (changes, expect) => {
      await wait();
      return inner.commit(changes, expect);
    },
  };
}

/** How many of so many takes were granted. */
async function granted(budget: MonthlyBudget, takes: number): Promise<number> {
  const results = await Promise.all(Array.from({ length: takes }, async () => codeOf(() => budget.take())));
  expect(results.every((code) => code === undefined || code === 'ERR_BUDGET_EXHAUSTED')).toBe(true);
  return results.filter((code) => code === undefined).length;
}

describe('MonthlyBudget', () => {
  it('grants exactly its limit, then says when to go on', async () => {
    for (const limit of [0, 1, 99, 100, 101, 250]) {
      const budget = new MonthlyBudget(new MemoryOrderedStore(), clockAt(JANUARY), limit);
      expect(await granted(budget, limit + 20)).toBe(limit);
      expect(await budget.used()).toBe(limit);
      await expect((async () => budget.take())()).rejects.toMatchObject({
        code: 'ERR_BUDGET_EXHAUSTED',
        message: expect.stringContaining('2025-01'),
      });
    }
  });

  it('never overspends over random interleavings of two on one store', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(450),
        fc.infiniteStream(fc.nat(8)),
        fc.array(
          fc.tuple(fc.boolean(), fc.constantFrom('take', 'take', 'take', 'settle'), fc.integer({ min: 1, max: 130 })),
          { maxLength: 12 },
        ),
        async (limit, delays, steps) => {
          const store = slowStore(() => delays.next().value as number);
          const clock = clockAt(JANUARY);
          const rivals = [new MonthlyBudget(store, clock, limit), new MonthlyBudget(store, clock, limit)] as const;
          let spent = 0;
          const running: Promise<void>[] = [];
          for (const [which, what, count] of steps) {
            const budget = rivals[which ? 1 : 0];
            running.push(
              what === 'settle'
                ? budget.settle()
                : granted(budget, count).then((more) => {
                    spent += more;
                  }),
            );
            if (count % 3 === 0) await Promise.resolve();
          }
          await Promise.all(running);
          expect(spent).toBeLessThanOrEqual(limit);
          expect(await rivals[0].used()).toBeLessThanOrEqual(limit);
          expect(await rivals[0].used()).toBeGreaterThanOrEqual(spent);
          for (const budget of rivals) await budget.settle();
          expect(await rivals[0].used()).toBe(spent);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('reserves in blocks: few commits for many requests, and a crash wastes a few at most', async () => {
    const store = new MemoryOrderedStore();
    const crashed = new MonthlyBudget(store, clockAt(JANUARY), 1_000);
    await granted(crashed, 130);
    const next = new MonthlyBudget(store, clockAt(JANUARY), 1_000);
    expect(await next.used()).toBeGreaterThanOrEqual(130);
    expect(await next.used()).toBeLessThanOrEqual(230);
    expect(await granted(next, 2_000)).toBeGreaterThanOrEqual(770);
    expect(await next.used()).toBe(1_000);
  });

  it('settle gives back what was not used, once', async () => {
    const store = new MemoryOrderedStore();
    const budget = new MonthlyBudget(store, clockAt(JANUARY), 1_000);
    await granted(budget, 30);
    await budget.settle();
    await budget.settle();
    expect(await budget.used()).toBe(30);
    expect(await granted(budget, 5)).toBe(5);
    await budget.settle();
    expect(await new MonthlyBudget(store, clockAt(JANUARY), 1_000).used()).toBe(35);
  });
});

describe('a new month', () => {
  it("begins with a whole budget, and last month's rest is worth nothing in it", async () => {
    const clock = clockAt(JANUARY);
    const budget = new MonthlyBudget(new MemoryOrderedStore(), clock, 100);
    expect(await granted(budget, 1)).toBe(1);
    clock.time = FEBRUARY;
    expect(await budget.used()).toBe(0);
    // All at once: while the first reserves, the others must not help themselves to January's block.
    expect(await granted(budget, 300)).toBe(100);
    expect(await budget.used()).toBe(100);
  });

  it('gives an exhausted one its freedom back', async () => {
    const clock = clockAt(JANUARY);
    const budget = new MonthlyBudget(new MemoryOrderedStore(), clock, 10);
    expect(await granted(budget, 20)).toBe(10);
    clock.time = FEBRUARY;
    expect(await granted(budget, 20)).toBe(10);
  });

  it("settling in it gives last month's rest back to last month", async () => {
    const store = new MemoryOrderedStore();
    const clock = clockAt(JANUARY);
    const [budget, other] = [new MonthlyBudget(store, clock, 200), new MonthlyBudget(store, clock, 200)];
    await granted(budget, 1);
    clock.time = FEBRUARY;
    expect(await granted(other, 100)).toBe(100);
    await budget.settle();
    expect(await other.used()).toBe(100);
    clock.time = JANUARY;
    expect(await budget.used()).toBe(1);
  });

  it('settling while the first block of it is reserved gives none of it away', async () => {
    const store = slowStore(() => 3);
    const clock = clockAt(JANUARY);
    const [budget, other] = [new MonthlyBudget(store, clock, 200), new MonthlyBudget(store, clock, 200)];
    await granted(budget, 1);
    clock.time = FEBRUARY;
    await granted(other, 100);
    await other.settle();
    const taking = granted(budget, 1);
    await budget.settle();
    const spent = 100 + (await taking) + (await granted(budget, 300)) + (await granted(other, 300));
    expect(spent).toBe(200);
  });
});
