import { CacheError, type CacheErrorCode, type StorageDriver } from '@_all_docs/cache';
import { randomFrom } from '../contract/_bytes.ts';
import { AroundDriver, type StorageVerb } from './around-driver.ts';

export interface ChaosOptions {
  /** Share of calls that fail, from 0 to 1. */
  share: number;
  /** The same seed fails the same calls. */
  seed?: number;
  /** What a failing call ends with, one of these by chance; `ERR_STORAGE_READ` unless told. */
  codes?: readonly CacheErrorCode[];
  /** `before`: the inner call is not made. `after`: it is made, and its answer lost. By chance unless told. */
  when?: 'before' | 'after' | 'either';
  /** Calls that may fail; all but `close` unless told. */
  verbs?: readonly StorageVerb[];
}

/** Fails a share of calls. With share 0 it is the inner driver. */
export class ChaosDriver extends AroundDriver {
  /** Can be changed while it runs. */
  share: number;
  /** Calls that were made to fail. */
  failures = 0;
  readonly #random: () => number;
  readonly #codes: readonly CacheErrorCode[];
  readonly #when: 'before' | 'after' | 'either';
  readonly #verbs: ReadonlySet<StorageVerb> | undefined;

  constructor(
    inner: StorageDriver,
    { share, seed = 1, codes = ['ERR_STORAGE_READ'], when = 'either', verbs }: ChaosOptions,
  ) {
    super(inner);
    this.share = share;
    this.#random = randomFrom(seed);
    this.#codes = codes;
    this.#when = when;
    this.#verbs = verbs && new Set(verbs);
  }

  protected async around<T>(verb: StorageVerb, key: string, call: () => Promise<T>): Promise<T> {
    const mayFail = this.#verbs ? this.#verbs.has(verb) : verb !== 'close';
    if (!mayFail || this.#random() >= this.share) return call();
    this.failures += 1;
    const code = this.#codes[Math.floor(this.#random() * this.#codes.length)] as CacheErrorCode;
    const after = this.#when === 'either' ? this.#random() < 0.5 : this.#when === 'after';
    if (after) await call();
    throw new CacheError(code, `chaos: ${verb} of ${key} failed ${after ? 'after' : 'before'} it was done`);
  }
}
