import { createPackumentKey, MemoryOrderedStore, MemoryStorageDriver, type StorageDriver } from '@_all_docs/cache';
import { OrderedTombstones, TieredCache } from '@_all_docs/tier';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AroundDriver, type StorageVerb } from '../../../test/drivers/around-driver.ts';
import { LaggingDriver } from '../../../test/drivers/lagging.ts';
import { ManualClock } from './_clock.ts';
import { entryOf, textOf } from './_tiers.ts';

const KEYS = ['a', 'b'].map((name) => createPackumentKey(name));
const MAX_AGE = 300;
const SKEW_MS = 1_000;

/** One call of a history: who made it, what it was, when it began and ended; places in the history, and the clock. */
interface Act {
  who: number;
  verb: 'read' | 'write' | 'delete';
  key: string;
  /** What was written, or read. */
  value: string | undefined;
  began: number;
  ended: number;
  beganAt: number;
  endedAt: number;
}

/** Each call waits for its turn, which the scheduler gives in any order; before it is done, and before its answer is heard. */
class ScheduledDriver extends AroundDriver {
  readonly #scheduler: fc.Scheduler;

  constructor(inner: StorageDriver, scheduler: fc.Scheduler) {
    super(inner);
    this.#scheduler = scheduler;
  }

  protected async around<T>(verb: StorageVerb, _: string, call: () => Promise<T>): Promise<T> {
    await this.#scheduler.schedule(Promise.resolve(), verb);
    const given = await call();
    await this.#scheduler.schedule(Promise.resolve(), `${verb} done`);
    return given;
  }
}

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ verb: fc.constant('read' as const), who: fc.nat(1), key: fc.constantFrom(...KEYS) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ verb: fc.constant('write' as const), who: fc.nat(1), key: fc.constantFrom(...KEYS) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ verb: fc.constant('delete' as const), who: fc.nat(1), key: fc.constantFrom(...KEYS) }),
  },
  { weight: 2, arbitrary: fc.record({ passMs: fc.constantFrom(0, 1, 300, 1_000, 6_000, 61_000, 302_000) }) },
);
const history = fc.array(fc.tuple(step, fc.nat(12)), { minLength: 5, maxLength: 40 });

interface Setting {
  about: string;
  /** When a removal by one is known to the other; the own ones are known at once. */
  boundMs: number;
  refreshMs?: number;
  staleWhileRevalidate?: number;
  strategy?: 'write-through' | 'lazy';
  lagMs: number;
}

const SETTINGS: Setting[] = [
  { about: 'tombstones asked for each time, reads that lag 60 s', refreshMs: 0, boundMs: 0, lagMs: 60_000 },
  { about: 'tombstones asked for every 5 s, reads that lag 60 s', refreshMs: 5_000, boundMs: 5_000, lagMs: 60_000 },
  { about: 'no tombstones, reads that lag 60 s', boundMs: MAX_AGE * 1_000 + SKEW_MS, lagMs: 60_000 },
  { about: 'no tombstones, lazily', boundMs: MAX_AGE * 1_000 + SKEW_MS, lagMs: 60_000, strategy: 'lazy' },
  { about: 'stale answers', boundMs: (MAX_AGE + 60) * 1_000 + SKEW_MS, lagMs: 0, staleWhileRevalidate: 60 },
];

describe.each(SETTINGS)('two caches over the same tiers, with $about', (setting) => {
  it('show nothing that was removed once the bound is over, and nothing older than own changes, in any order of events', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), history, async (scheduler, steps) => {
        for (const problem of problemsOf(await run(scheduler, steps, setting), setting)) expect.fail(problem);
      }),
      { seed: 20_261_121, numRuns: 250 },
    );
  }, 60_000);
});

async function run(
  scheduler: fc.Scheduler,
  steps: typeof history extends fc.Arbitrary<infer T> ? T : never,
  { refreshMs, staleWhileRevalidate, strategy, lagMs }: Setting,
): Promise<Act[]> {
  const clock = new ManualClock();
  const ordered = new MemoryOrderedStore();
  const lagging = new LaggingDriver(new MemoryStorageDriver(), { clock, lagMs });
  const tiers = [lagging, new MemoryStorageDriver(), new MemoryStorageDriver()].map(
    (driver) => new ScheduledDriver(driver, scheduler),
  );
  const caches = [0, 1].map(
    () =>
      new TieredCache({
        tiers,
        clock,
        maxAge: MAX_AGE,
        staleWhileRevalidate,
        strategy,
        tombstones: refreshMs === undefined ? undefined : new OrderedTombstones(ordered, { clock, refreshMs }),
      }),
  );
  const acts: Act[] = [];
  let place = 0;
  const under: Promise<void>[] = [];
  const act = async (who: number, verb: Act['verb'], key: string) => {
    const cache = caches[who] as TieredCache;
    const value = verb === 'write' ? `value ${place}` : undefined;
    const done = { who, verb, key, value, began: place++, beganAt: clock.now(), ended: Infinity, endedAt: Infinity };
    acts.push(done);
    if (verb === 'read') done.value = textOf(await cache.read(key));
    else if (verb === 'delete') await cache.delete(key);
    else await cache.write(key, entryOf(value as string));
    done.ended = place++;
    done.endedAt = clock.now();
  };
  for (const [next, turns] of steps) {
    if ('passMs' in next) clock.jump(next.passMs);
    else under.push(act(next.who, next.verb, next.key));
    await breathe();
    for (let turn = 0; turn < turns && scheduler.count() > 0; turn++) {
      await scheduler.waitOne();
      await breathe();
    }
  }
  for (let idle = 0; idle < 20; idle++) {
    await breathe();
    while (scheduler.count() > 0) {
      idle = 0;
      await scheduler.waitOne();
      await breathe();
    }
  }
  await Promise.all(under);
  return acts;
}

function* problemsOf(acts: readonly Act[], { boundMs }: Setting): Iterable<string> {
  const writes = new Map(acts.filter(({ verb }) => verb === 'write').map((act) => [act.value, act]));
  for (const read of acts.filter(({ verb }) => verb === 'read')) {
    const isKnown = (change: Act) =>
      change.key === read.key &&
      change.ended < read.began &&
      (change.who === read.who || (change.verb === 'delete' && read.beganAt - change.endedAt >= boundMs));
    const changes = acts.filter((act) => act.verb !== 'read' && isKnown(act));
    if (read.value !== undefined) {
      const write = writes.get(read.value) as Act;
      const after = changes.find((change) => change.began > write.ended);
      if (after)
        yield `${JSON.stringify(read)} is older than ${JSON.stringify(after)}, written by ${JSON.stringify(write)}`;
    } else {
      const written = changes.find((change) => change.verb === 'write');
      const removed = acts.some(
        ({ verb, key, ended }) => verb === 'delete' && key === read.key && ended > (written?.began ?? 0),
      );
      if (written && !removed) yield `${JSON.stringify(read)} misses ${JSON.stringify(written)}`;
    }
  }
}

/** Lets everything that has its turn go on. */
async function breathe(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
