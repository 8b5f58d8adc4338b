import { createPackumentKey, MemoryStorageDriver, type StorageDriver, type StoredEntry } from '@_all_docs/cache';
import { TieredCache, type TieredCacheOptions } from '@_all_docs/tier';
import { hash } from 'node:crypto';
import { AroundDriver, type StorageVerb } from '../../../test/drivers/around-driver.ts';
import { ManualClock } from './_clock.ts';

export const KEY = createPackumentKey('express');

/** With its digest, so that no driver needs to wait for WebCrypto while time stands still. */
export const entryOf = (text: string, storedAt = 1_700_000_000_000): StoredEntry => {
  const body = new TextEncoder().encode(text);
  const digest = `sha256-${hash('sha256', body, 'base64')}`;
  return { body, metadata: { storedAt, encoding: 'identity', size: body.length, digest } };
};
export const textOf = (entry: StoredEntry | undefined) => entry && new TextDecoder().decode(entry.body);

/** A driver that does with each call what the test says; without a rule it is the inner one. Counts calls. */
export class RuledDriver extends AroundDriver {
  calls = 0;
  rule: ((verb: StorageVerb, key: string) => unknown) | undefined;

  constructor(inner: StorageDriver = new MemoryStorageDriver(), rule?: RuledDriver['rule']) {
    super(inner);
    this.rule = rule;
  }

  protected async around<T>(verb: StorageVerb, key: string, call: () => Promise<T>): Promise<T> {
    this.calls += 1;
    await this.rule?.(verb, key);
    return call();
  }
}

/** A tiered cache over memory, with its parts. */
export function tiered({
  l1 = new RuledDriver(),
  l2 = new RuledDriver(),
  primary = new RuledDriver(),
  clock = new ManualClock(),
  ...more
}: Partial<TieredCacheOptions> & {
  l1?: StorageDriver;
  l2?: StorageDriver;
  primary?: RuledDriver;
  clock?: ManualClock;
} = {}) {
  const log: string[] = [];
  const keep = (message: string) => log.push(message);
  const cache = new TieredCache({
    tiers: [l1, l2, primary],
    clock,
    logger: { info: keep, warn: keep, error: keep },
    ...more,
  });
  return { cache, l1, l2, primary, clock, log };
}
