import { CacheError, type OrderedStore, prefixRange, type RowChange, type RowExpectation } from '@_all_docs/cache';

/** What is known of one thing that takes space. */
export interface LedgerEntry {
  /** In whatever unit the limit is in. */
  size: number;
  /** Epoch milliseconds; the oldest goes first. */
  at: number;
  /** Whatever tells the owner that it is still the same thing. */
  mark: string;
}

export interface LedgerOptions {
  ordered: OrderedStore;
  /** What all rows begin with; nobody else writes there. */
  prefix: string;
  /** Most that all entries together may take. */
  limit: number;
  /** Nothing larger than this part of the limit is taken in; a quarter unless told. */
  largestPart?: number;
  /** Removes the thing itself, before its rows go. */
  onEvict: (key: string, entry: LedgerEntry) => Promise<void>;
  /** Hears why an account could not be kept: then nothing new is to be stored, and nobody fails for it. */
  onTrouble: (error: CacheError) => void;
}

/** How far the sum is brought down when it is over the limit, so that not every newcomer has to make room. */
const TARGET_PART = 0.9;
const EVICT_AT_ONCE = 64;
const COMMIT_TRIES = 100;
/** Digits of a time in the keys that sort by it; enough for three hundred centuries. */
const AGE_DIGITS = 15;

interface Batch {
  changes: Map<string, LedgerEntry | undefined>;
  done: Promise<boolean>;
}

/**
 * The account of things of a bounded size, in rows that all processes share: one for each thing, one that sorts it by
 * age, one for the sum. A thing is entered *before* it is stored: an entry without its thing costs nothing, a thing
 * without its entry would never go.
 */
export class Ledger {
  readonly #options: LedgerOptions;
  #running: Promise<unknown> = Promise.resolve();
  #next: Batch | undefined;

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  async get(key: string): Promise<LedgerEntry | undefined> {
    return parseEntry(await this.#options.ordered.get(this.#entryRow(key)));
  }

  /**
   * Enters a thing, or enters it anew. Resolves when the rows are committed and room is made; `false` for a thing that
   * must not be stored: it is too large, or no account can be kept of it.
   */
  async put(key: string, entry: LedgerEntry): Promise<boolean> {
    if (entry.size > this.#options.limit * (this.#options.largestPart ?? 1 / 4)) return false;
    return this.#change(key, entry);
  }

  /** Strikes a thing out; what is not there is struck out already. */
  async drop(key: string): Promise<void> {
    await this.#change(key, undefined);
  }

  /** Everything that is entered. What is dropped meanwhile may be left out or given. */
  async *entries(): AsyncIterable<[key: string, entry: LedgerEntry]> {
    const prefix = this.#entryRow('');
    for await (const [row, text] of this.#options.ordered.list(prefixRange(prefix)))
      yield [row.slice(prefix.length), parseEntry(text) as LedgerEntry];
  }

  /** The sum of all sizes. */
  async total(): Promise<number> {
    return Number((await this.#options.ordered.get(this.#totalRow)) ?? 0);
  }

  /** Changes that come while others are being committed share the next commit; `false` when that fails. */
  #change(key: string, entry: LedgerEntry | undefined): Promise<boolean> {
    this.#next ??= this.#nextBatch();
    this.#next.changes.set(key, entry);
    return this.#next.done;
  }

  #nextBatch(): Batch {
    const changes: Batch['changes'] = new Map();
    const done = this.#running.then(async () => {
      this.#next = undefined;
      try {
        await this.#commit(changes);
        if ((await this.total()) > this.#options.limit) await this.#makeRoom(changes);
        return true;
      } catch (error) {
        if (!(error instanceof CacheError)) throw error;
        this.#options.onTrouble(error);
        return false;
      }
    });
    this.#running = done.catch(() => undefined);
    return { changes, done };
  }

  /** Entries, their places by age and the sum change together, whoever else changes them meanwhile. */
  async #commit(changes: Batch['changes']): Promise<void> {
    const { ordered } = this.#options;
    for (let tries = 0; tries < COMMIT_TRIES; tries++) {
      const sum = await ordered.get(this.#totalRow);
      const expected: RowExpectation[] = [{ key: this.#totalRow, value: sum }];
      const rows: RowChange[] = [];
      let total = Number(sum ?? 0);
      for (const [key, entry] of changes) {
        const row = { key: this.#entryRow(key), value: await ordered.get(this.#entryRow(key)) };
        const old = parseEntry(row.value);
        expected.push(row);
        if (old) rows.push({ key: this.#ageRow(key, old), value: undefined });
        rows.push({ key: row.key, value: entry && JSON.stringify([entry.size, entry.at, entry.mark]) });
        if (entry) rows.push({ key: this.#ageRow(key, entry), value: '' });
        total += (entry?.size ?? 0) - (old?.size ?? 0);
      }
      rows.push({ key: this.#totalRow, value: String(total) });
      if (await ordered.commit(rows, expected)) return;
    }
    throw new CacheError('ERR_STORAGE_WRITE', `rows below ${this.#options.prefix} are changed by others all the time`);
  }

  async #makeRoom(spared: Batch['changes']): Promise<void> {
    const { limit, onEvict } = this.#options;
    let after: string | undefined;
    for (let total = await this.total(); total > limit * TARGET_PART; ) {
      const gone: Batch['changes'] = new Map();
      const oldest = await this.#oldest(after);
      for (const [row, key] of oldest) {
        after = row;
        if (total <= limit * TARGET_PART || spared.has(key)) continue;
        const entry = await this.get(key);
        if (!entry) continue;
        await onEvict(key, entry);
        gone.set(key, undefined);
        total -= entry.size;
      }
      if (gone.size > 0) await this.#commit(gone);
      if (oldest.length < EVICT_AT_ONCE) return;
    }
  }

  async #oldest(after: string | undefined): Promise<[row: string, key: string][]> {
    const prefix = `${this.#options.prefix}age:`;
    const oldest: [string, string][] = [];
    for await (const [row] of this.#options.ordered.list({ ...prefixRange(prefix), after, limit: EVICT_AT_ONCE })) {
      oldest.push([row, row.slice(prefix.length + AGE_DIGITS + 1)]);
    }
    return oldest;
  }

  get #totalRow(): string {
    return `${this.#options.prefix}total`;
  }

  #entryRow(key: string): string {
    return `${this.#options.prefix}entry:${key}`;
  }

  #ageRow(key: string, { at }: LedgerEntry): string {
    return `${this.#options.prefix}age:${String(at).padStart(AGE_DIGITS, '0')}:${key}`;
  }
}

function parseEntry(row: string | undefined): LedgerEntry | undefined {
  if (row === undefined) return undefined;
  const [size, at, mark] = JSON.parse(row) as [number, number, string];
  return { size, at, mark };
}
