import { CacheError, hex, type OrderedStore, prefixRange, type RowChange, unhex } from '@_all_docs/cache';

/**
 * Removals as all who share the tiers hear of them, from a place that does not lag: a tier may go on showing what was
 * removed for a while, so they are asked for first.
 */
export interface Tombstones {
  /** For how long a removal is told, in seconds. */
  readonly keepFor: number;
  /** Resolves when everybody who asks from now on hears of it. */
  record(key: string): Promise<void>;
  /** Tells `note` of all removals that were not told before; resolves when it knows all that was recorded before the call, or shortly before it. */
  hear(note: (key: string, at: number) => void): Promise<void>;
}

export interface OrderedTombstonesOptions {
  clock: { now(): number };
  /** For how long a removal must be remembered, in seconds: longer than tiers serve an entry, and than they lag. An hour unless told. */
  keepFor?: number | undefined;
  /** How old what was heard may be, in milliseconds: the bound within which a removal is heard of. 5,000 unless told; 0 asks each time. */
  refreshMs?: number | undefined;
  /** How far the clocks of those who share the rows may be apart, in milliseconds; 1,000 unless told. */
  skewMs?: number | undefined;
}

const PREFIX = 'v1:tombstone:';
const DIGITS = 16;
/** How long a row may take from its time to its commit: so far back is listed again. */
const COMMIT_MS = 10_000;
const SWEPT_AT_ONCE = 500;

/** Tombstones as rows in the order of their times, `v1:tombstone:{time}:{hex(key)}`: hearing what is new costs one short listing. */
export class OrderedTombstones implements Tombstones {
  readonly #ordered: OrderedStore;
  readonly #clock: { now(): number };
  readonly keepFor: number;
  readonly #refreshMs: number;
  readonly #skewMs: number;
  #heardAt = Number.NEGATIVE_INFINITY;
  #isHearing = false;
  #heardTo = 0;

  constructor(ordered: OrderedStore, options: OrderedTombstonesOptions) {
    this.#ordered = ordered;
    this.#clock = options.clock;
    this.keepFor = options.keepFor ?? 3_600;
    this.#refreshMs = options.refreshMs ?? 5_000;
    this.#skewMs = options.skewMs ?? 1_000;
  }

  /** `ERR_STORAGE_WRITE` when it cannot be committed in time. */
  async record(key: string): Promise<void> {
    for (let tries = 0; tries < 3; tries++) {
      const at = Math.ceil(this.#clock.now()) + this.#skewMs;
      const old = await this.#expired(at);
      await this.#ordered.commit([...old, { key: `${PREFIX}${digits(at)}:${hex(key)}`, value: '' }]);
      // A row that came later than others look back is written again, with a later time.
      if (this.#clock.now() + this.#skewMs - at <= COMMIT_MS) return;
    }
    throw new CacheError('ERR_STORAGE_WRITE', `the removal of ${key} could not be recorded in time; remove it again`);
  }

  async hear(note: (key: string, at: number) => void): Promise<void> {
    const age = this.#clock.now() - this.#heardAt;
    // One asks early, so that the others need not: on Workers nobody can wait for what another request began.
    if (age < this.#refreshMs && (this.#isHearing || age < this.#refreshMs / 2)) return;
    this.#isHearing = true;
    try {
      await this.#listNew(note);
    } finally {
      this.#isHearing = false;
    }
  }

  async #listNew(note: (key: string, at: number) => void): Promise<void> {
    const now = this.#clock.now();
    const since = Math.max(this.#heardTo - COMMIT_MS - 2 * this.#skewMs, now - this.keepFor * 1_000, 0);
    const { end } = prefixRange(PREFIX);
    let to = Math.floor(now);
    for await (const [row] of this.#ordered.list({ start: PREFIX + digits(since), end })) {
      const at = Number(row.slice(PREFIX.length, PREFIX.length + DIGITS));
      note(unhex(row.slice(PREFIX.length + DIGITS + 1)) as string, at);
      to = Math.max(to, at);
    }
    this.#heardTo = Math.max(this.#heardTo, to);
    this.#heardAt = Math.max(this.#heardAt, now);
  }

  /** Changes that remove rows nobody needs any more: whoever records a removal takes some away. */
  async #expired(now: number): Promise<RowChange[]> {
    const rows: RowChange[] = [];
    const end = PREFIX + digits(Math.max(0, now - 2_000 * this.keepFor));
    for await (const [key] of this.#ordered.list({ start: PREFIX, end, limit: SWEPT_AT_ONCE }))
      rows.push({ key, value: undefined });
    return rows;
  }
}

function digits(at: number): string {
  return String(Math.floor(at)).padStart(DIGITS, '0');
}
