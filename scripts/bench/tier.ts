/**
 * What a broken top tier costs: reads through `[L1, L2, primary]` with L1 well, failing, slow (2 s), corrupt, full or
 * lagging 60 s, beside reads through `[L2, primary]` in the same run. Every call of L1 takes 1 ms, of L2 2 ms and of the
 * primary 5 ms, by real timers. Interleaved rounds; ratios are of one round, after the first detection; median [min-max].
 *
 *   node scripts/bench/tier.ts [--reads 400] [--rounds 7] [--keys 50]
 */
import { CacheError, createPackumentKey, MemoryStorageDriver, type StorageDriver } from '@_all_docs/cache';
import { TieredCache } from '@_all_docs/tier';
import { systemClock } from '@_all_docs/worker-node';
import { parseArgs } from 'node:util';
import { AroundDriver, type StorageVerb } from '../../test/drivers/around-driver.ts';
import { LaggingDriver } from '../../test/drivers/lagging.ts';
import { spread } from './_measure.ts';

const { values } = parseArgs({
  options: {
    reads: { type: 'string', default: '400' },
    rounds: { type: 'string', default: '7' },
    keys: { type: 'string', default: '50' },
  },
});

/** A driver whose calls take so long, and do what the rule says. */
class Timed extends AroundDriver {
  readonly #ms: number;
  readonly #rule: ((verb: StorageVerb) => unknown) | undefined;

  constructor(inner: StorageDriver, ms: number, rule?: (verb: StorageVerb) => unknown) {
    super(inner);
    this.#ms = ms;
    this.#rule = rule;
  }

  protected async around<T>(verb: StorageVerb, _: string, call: () => Promise<T>): Promise<T> {
    await systemClock.sleep(this.#ms);
    await this.#rule?.(verb);
    return call();
  }
}

const refuse =
  (code: ConstructorParameters<typeof CacheError>[0], ...verbs: StorageVerb[]) =>
  (verb: StorageVerb) => {
    if (verbs.includes(verb)) throw new CacheError(code, 'as the benchmark says');
  };
const memory = () => new MemoryStorageDriver();
const FAULTS: Record<string, (() => StorageDriver) | undefined> = {
  'no L1': undefined,
  well: () => new Timed(memory(), 1),
  failing: () => new Timed(memory(), 1, refuse('ERR_STORAGE_READ', 'read', 'head', 'write', 'delete')),
  'slow (2 s)': () => new Timed(memory(), 2_000),
  corrupt: () => new Timed(memory(), 1, refuse('ERR_CORRUPT', 'read')),
  full: () => new Timed(memory(), 1, refuse('ERR_DISK_FULL', 'write')),
  'lags 60 s': () => new Timed(new LaggingDriver(memory(), { clock: systemClock, lagMs: 60_000 }), 1),
};
const keys = Array.from({ length: Number(values.keys) }, (_, i) => createPackumentKey(`package-${i}`));
const body = new Uint8Array(10_000);
const caches = new Map<string, TieredCache>();
let failed = 0;

for (const [name, l1] of Object.entries(FAULTS)) {
  const below = [new Timed(memory(), 2), new Timed(memory(), 5)];
  const cache = new TieredCache({ tiers: l1 ? [l1(), ...below] : below, clock: systemClock });
  for (const key of keys)
    await cache.write(key, { body, metadata: { storedAt: 1, encoding: 'gzip', size: body.length } });
  // The first detection.
  for (let i = 0; i < 70; i++) await cache.read(keys[i % keys.length] as string);
  caches.set(name, cache);
}

const times = new Map<string, number[]>([...caches.keys()].map((name) => [name, []]));
const slowest = new Map<string, number>();
for (let round = 0; round < Number(values.rounds); round++) {
  for (const [name, cache] of caches) {
    const startedAt = performance.now();
    for (let i = 0; i < Number(values.reads); i++) {
      const readAt = performance.now();
      const entry = await cache.read(keys[i % keys.length] as string).catch(() => undefined);
      if (entry?.body.length !== body.length) failed += 1;
      slowest.set(name, Math.max(slowest.get(name) ?? 0, performance.now() - readAt));
    }
    times.get(name)?.push((performance.now() - startedAt) / Number(values.reads));
  }
}
const base = times.get('no L1') as number[];
console.log(`${'L1'.padEnd(12)} ${'ms a read'.padStart(20)}   of no L1                 slowest ms`);
for (const [name, all] of times) {
  const ratios = all.map((ms, round) => ms / (base[round] as number));
  console.log(
    `${name.padEnd(12)} ${spread(all, 2).padStart(20)}   ${spread(ratios, 2).padEnd(22)} ${(slowest.get(name) ?? 0).toFixed(1).padStart(10)}`,
  );
}
console.log(`${failed} failed reads`);
process.exit(failed > 0 ? 1 : 0);
