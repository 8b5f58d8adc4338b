import { CacheError } from '@_all_docs/cache';
import type { ClientRow, Parameter, PostgresClient, Queryable } from './client.js';
import { isCut, isRivalry, readError, writeError } from './errors.js';
import { MIGRATIONS } from './migrations.js';

export interface PostgresOptions {
  /** The schema that holds the tables, made where there is none; `all_docs` unless told. */
  schema?: string | undefined;
}

/** Any number that others are unlikely to lock: `_ado` in ASCII, and a place. */
const MIGRATION_LOCK = '0x5f61646f00000001';
const TRIES = 5;

/**
 * Our tables in a PostgreSQL database. They are made at the first query. What is cut off by a lost connection is done
 * once more when it can be repeated without harm; the client connects again by itself.
 */
export class PostgresDatabase {
  readonly schema: string;
  readonly #client: PostgresClient;
  readonly #under = new Set<Promise<unknown>>();
  #ready: Promise<void> | undefined;

  constructor(client: PostgresClient, { schema = 'all_docs' }: PostgresOptions = {}) {
    if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
      throw new TypeError(`not a schema: ${JSON.stringify(schema)}; use up to 63 of a-z, 0-9 and _`);
    }
    this.#client = client;
    this.schema = schema;
  }

  /** Rows of a query that changes nothing; `ERR_STORAGE_READ`. */
  read(query: string, parameters: Parameter[]): Promise<readonly ClientRow[]> {
    return this.#repeatable(query, parameters).catch((error) => Promise.reject(readError(error)));
  }

  /** A change that may be done twice; `ERR_STORAGE_WRITE`, `ERR_DISK_FULL`. */
  write(query: string, parameters: Parameter[]): Promise<readonly ClientRow[]> {
    return this.#repeatable(query, parameters).catch((error) => Promise.reject(writeError(error)));
  }

  /** All or nothing; tried again when a rival was in its way. Whether it was committed is not known when its connection is lost: `ERR_STORAGE_WRITE`. */
  async transaction<T>(
    work: (query: (text: string, parameters: Parameter[]) => Promise<readonly ClientRow[]>) => Promise<T>,
  ): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        await this.ready();
        // Each statement sees what was committed before it, whatever the database's default is.
        return (await this.#client.begin('isolation level read committed', (transaction) =>
          work((text, parameters) => ask(transaction, this.#named(text), parameters)),
        )) as T;
      } catch (error) {
        if (!isRivalry(error) || tries === TRIES) throw writeError(error);
      }
    }
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

  async #repeatable(query: string, parameters: Parameter[]): Promise<readonly ClientRow[]> {
    for (let tries = 1; ; tries++) {
      try {
        await this.ready();
        return await ask(this.#client, this.#named(query), parameters);
      } catch (error) {
        if (tries === 2 || !(isCut(error) || isRivalry(error))) throw error;
      }
    }
  }

  async #migrate(): Promise<void> {
    const known = `SELECT to_regclass('${this.schema}.migrations') IS NOT NULL AS is_made`;
    const latest = async (from: Queryable) =>
      Number(
        (await ask(from, this.#named('SELECT max(version) AS version FROM $.migrations'), []))[0]?.['version'] ?? 0,
      );
    const [row] = await ask(this.#client, known, []);
    if (row?.['is_made'] === true && (await latest(this.#client)) === MIGRATIONS.length) return;
    await this.#client.begin('isolation level read committed', async (transaction) => {
      await transaction.unsafe(`SELECT pg_advisory_xact_lock(x'${MIGRATION_LOCK.slice(2)}'::bigint)`);
      await transaction.unsafe(this.#named('CREATE SCHEMA IF NOT EXISTS $'));
      await transaction.unsafe(
        this.#named(
          'CREATE TABLE IF NOT EXISTS $.migrations (version integer PRIMARY KEY, applied_at timestamptz DEFAULT now())',
        ),
      );
      const done = await latest(transaction);
      if (done > MIGRATIONS.length) {
        throw new CacheError(
          'ERR_CACHE_NEWER',
          `the tables in the schema ${this.schema} were made by a newer version (${done}, this one knows ${MIGRATIONS.length}); update _all_docs, or choose another schema`,
        );
      }
      for (const [i, step] of MIGRATIONS.entries()) {
        if (i < done) continue;
        await transaction.unsafe(this.#named(step));
        await ask(transaction, this.#named('INSERT INTO $.migrations (version) VALUES ($1)'), [i + 1]);
      }
    });
  }

  /** SQL with the schema in place of a `$` that is no parameter. */
  #named(query: string): string {
    return query.replace(/\$(?!\d)/g, `"${this.schema}"`);
  }
}

async function ask(from: Queryable, query: string, parameters: Parameter[]): Promise<readonly ClientRow[]> {
  return from.unsafe(query, parameters, { prepare: true });
}
