import { type CacheError, encodeOrigin, hex, type OrderedStore } from '@_all_docs/cache';
import type { Clock } from '@_all_docs/http';
import { ByteLru } from './byte-lru.js';
import { Ledger } from './ledger.js';
import { ABSENT_PREFIX } from './prefixes.js';

/** The origin's last word on a name that it does not have. */
export interface Absence {
  /** 404, 410 or 451. */
  status: number;
  at: number;
  /** How often the origin said so since it last had the package. */
  times: number;
}

const MOST_ROWS = 100_000;
const MOST_IN_MEMORY = 10_000;

/** Names that the origin said are not there, so that it is not asked again at once. Bounded: the oldest are forgotten. */
export class Absences {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #ttlMs: number;
  readonly #ledger: Ledger;
  readonly #memory = new ByteLru<Absence>(MOST_IN_MEMORY);

  constructor(
    env: { clock: Pick<Clock, 'now'>; ordered: OrderedStore; registry: string },
    { ttlMs, onTrouble }: { ttlMs: number; onTrouble: (error: CacheError) => void },
  ) {
    this.#clock = env.clock;
    this.#ttlMs = ttlMs;
    this.#ledger = new Ledger({
      ordered: env.ordered,
      prefix: `${ABSENT_PREFIX}${encodeOrigin(env.registry)}:`,
      limit: MOST_ROWS,
      onEvict: async () => undefined,
      onTrouble,
    });
  }

  /** The origin's word, while it is recent enough to be repeated. */
  async recent(name: string): Promise<Absence | undefined> {
    const absence = this.#memory.get(name) ?? (await this.#stored(name));
    return absence && this.#clock.now() - absence.at < this.#ttlMs ? absence : undefined;
  }

  /** Takes down that the origin said so once more. */
  async add(name: string, status: number): Promise<Absence> {
    const before = await this.#stored(name);
    const absence = { status, at: this.#clock.now(), times: (before?.times ?? 0) + 1 };
    this.#memory.set(name, absence, 1);
    await this.#ledger.put(hex(name), { size: 1, at: absence.at, mark: `${status} ${absence.times}` });
    return absence;
  }

  /** The origin has it (again). */
  async clear(name: string): Promise<void> {
    this.#memory.delete(name);
    if (await this.#ledger.get(hex(name))) await this.#ledger.drop(hex(name));
  }

  async #stored(name: string): Promise<Absence | undefined> {
    const entry = await this.#ledger.get(hex(name));
    if (!entry) return undefined;
    const [status, times] = entry.mark.split(' ').map(Number);
    const absence = { status: status as number, at: entry.at, times: times as number };
    this.#memory.set(name, absence, 1);
    return absence;
  }
}
