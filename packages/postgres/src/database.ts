import { CacheError } from '@_all_docs/cache';
import type { ClientRow, Parameter, PostgresClient } from './client.js';
import { isCut, isRivalry, readError, writeError } from './errors.js';
import { MIGRATIONS, migration } from './migrations.js';

export interface PostgresOptions {
  clock: DatabaseClock;
  /** The schema that holds the tables, made where there is none; `all_docs` unless told. */
  schema?: string | undefined;
  /** The tables are known to be there, as this version makes them: nobody looks. For those who open a client for each call. */
  isReady?: boolean | undefined;
}

/** Time as an argument: wall clock in milliseconds, and a sleep that ends early, rejecting, on abort. */
export interface DatabaseClock {
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Whoever has no answer by then has none: a server that vanished without a word is not noticed in any other way. */
const DEADLINE_MS = 60_000;
const TRIES = 5;

/**
 * Our tables in a PostgreSQL database. They are made at the first query. What is cut off by a lost connection is done
 * once more when it can be repeated without harm; the client connects again by itself.
 */
export class PostgresDatabase {
  readonly schema: string;
  readonly #client: PostgresClient;
  readonly #clock: DatabaseClock;
  readonly #under = new Set<Promise<unknown>>();
  #ready: Promise<void> | undefined;

  constructor(client: PostgresClient, { clock, schema = 'all_docs', isReady = false }: PostgresOptions) {
    if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
      throw new TypeError(`not a schema: ${JSON.stringify(schema)}; use up to 63 of a-z, 0-9 and _`);
    }
    this.#client = client;
    this.#clock = clock;
    this.schema = schema;
    if (isReady) this.#ready = Promise.resolve();
  }

  /** Rows of a statement that changes nothing; `ERR_STORAGE_READ`. */
  read(statement: string, parameters: Parameter[]): Promise<readonly ClientRow[]> {
    return this.#run(statement, parameters, true).catch((error) => Promise.reject(readError(error)));
  }

  /** A statement that may be done twice; `ERR_STORAGE_WRITE`, `ERR_DISK_FULL`. */
  write(statement: string, parameters: Parameter[]): Promise<readonly ClientRow[]> {
    return this.#run(statement, parameters, true).catch((error) => Promise.reject(writeError(error)));
  }

  /** A statement that must not be done twice: whether it was done is not known when its connection is lost, `ERR_STORAGE_WRITE`. */
  writeOnce(statement: string, parameters: Parameter[]): Promise<readonly ClientRow[]> {
    return this.#run(statement, parameters, false).catch((error) => Promise.reject(writeError(error)));
  }

  /** Does work that {@link settled} waits for. */
  track<T>(work: () => Promise<T>): Promise<T> {
    const under = work();
    this.#under.add(under);
    const over = () => this.#under.delete(under);
    under.then(over, over);
    return under;
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    while (this.#under.size > 0) await Promise.allSettled(this.#under);
  }

  /** Makes the tables, or brings them up to date; `ERR_CACHE_NEWER` when a newer version has been at them. */
  ready(): Promise<void> {
    this.#ready ??= this.#migrate().catch((error) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  async #run(statement: string, parameters: Parameter[], mayRepeat: boolean): Promise<readonly ClientRow[]> {
    for (let tries = 1; ; tries++) {
      // A lost connection takes a migration along whole: it may be begun anew.
      let isBegun = false;
      try {
        await this.ready();
        isBegun = true;
        return await this.#ask(statement, parameters);
      } catch (error) {
        const isHarmless = isRivalry(error) || (isCut(error) && tries === 1 && (mayRepeat || !isBegun));
        if (!isHarmless || tries === TRIES) throw error;
      }
    }
  }

  async #migrate(): Promise<void> {
    const isMade = await this.#ask(`SELECT to_regclass('$.migrations') AS made`, []);
    const version = isMade[0]?.['made'] == null ? 0 : await this.#version();
    if (version > MIGRATIONS.length) {
      throw new CacheError(
        'ERR_CACHE_NEWER',
        `the tables in the schema ${this.schema} were made by a newer version (${version}, this one knows ${MIGRATIONS.length}); update _all_docs, or choose another schema`,
      );
    }
    if (version < MIGRATIONS.length) await this.#ask(migration(this.schema), []);
  }

  async #version(): Promise<number> {
    return Number((await this.#ask('SELECT max(version) AS version FROM $.migrations', []))[0]?.['version'] ?? 0);
  }

  async #ask(statement: string, parameters: Parameter[]): Promise<readonly ClientRow[]> {
    const named = statement.replaceAll('$.', `"${this.schema}".`);
    const timer = new AbortController();
    const result = (async () => this.#client.unsafe(named, parameters, { prepare: true }))();
    const late = this.#clock.sleep(DEADLINE_MS, timer.signal).then(
      () => Promise.reject(new Error(`no answer for ${DEADLINE_MS / 1_000} s`)),
      () => result,
    );
    try {
      return await Promise.race([result, late]);
    } finally {
      timer.abort();
    }
  }
}
