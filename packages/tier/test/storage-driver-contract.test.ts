import { MemoryStorageDriver, type StorageDriver } from '@_all_docs/cache';
import { LargeObjectDriver, OrderedTombstones, TieredCache, type TieredCacheOptions } from '@_all_docs/tier';
import { randomFrom } from '../../../test/contract/_bytes.ts';
import { type StorageTraits, storageDriverContract } from '../../../test/contract/storage-driver.ts';
import { ChaosDriver } from '../../../test/drivers/chaos.ts';
import { systemClock } from './_clock.ts';

const traits: StorageTraits = {
  cannotDecode: { value: ['br', 'zstd'], reason: 'DecompressionStream knows neither' },
  ownNotes: { reason: 'these notes are its own' },
};
const memory = () => new MemoryStorageDriver();
const large = (inner: StorageDriver) =>
  new LargeObjectDriver(inner, { objects: memory(), random: randomFrom(1), overBytes: 40 });

class ShortKeys extends MemoryStorageDriver {
  override readonly maxKeyBytes = 512;
}

const kinds: [about: string, tiers: () => StorageDriver[], more?: Partial<TieredCacheOptions>][] = [
  ['the primary alone', () => [memory()]],
  ['two tiers', () => [memory(), memory()]],
  ['three tiers', () => [memory(), memory(), memory()]],
  ['three tiers, lazily', () => [memory(), memory(), memory()], { strategy: 'lazy' }],
  ['a top tier filled on read', () => [memory(), memory(), memory()], { fill: 'on-read' }],
  ['a flight and stale answers', () => [memory(), memory()], { flight: shared(), staleWhileRevalidate: 60 }],
  ['tiers that are always stale', () => [memory(), memory()], { maxAge: 0, negativeMaxAge: 0 }],
  ['a top tier of short keys', () => [new ShortKeys(), memory()]],
  ['large bodies by reference', () => [large(memory()), large(memory())]],
  [
    'tiers of which every third call fails',
    () => [1, 2].map((seed) => new ChaosDriver(memory(), { share: 1 / 3, seed }) as StorageDriver).concat(memory()),
  ],
];

for (const [about, tiers, more] of kinds) {
  storageDriverContract({
    name: `TieredCache of ${about}`,
    create: () => new TieredCache({ tiers: tiers(), clock: systemClock, tableOf: () => 'packuments', ...more }),
    traits,
  });
}
storageDriverContract({
  name: 'TieredCache with tombstones',
  create: () => {
    const primary = memory();
    const tombstones = new OrderedTombstones(primary.ordered, { clock: systemClock, refreshMs: 0 });
    return new TieredCache({
      tiers: [memory(), primary],
      clock: systemClock,
      tableOf: () => 'packuments',
      tombstones,
    });
  },
  traits,
});
storageDriverContract({ name: 'LargeObjectDriver', create: () => large(memory()), traits });

/** All who ask at once share one answer. */
function shared(): NonNullable<TieredCacheOptions['flight']> {
  const flights = new Map<string, Promise<unknown>>();
  return <T>(key: string, work: () => Promise<T>) => {
    const flight = (flights.get(key) as Promise<T> | undefined) ?? work().finally(() => flights.delete(key));
    flights.set(key, flight);
    return flight;
  };
}
