import { CacheError, type EntryMetadata, prefixRange } from '@_all_docs/cache';
import { INDEX_PREFIXES } from '@_all_docs/content';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { matchesDigest } from './body-digest.js';
import { ENTRY, INDEX, STORE_KEY, type StoreKind } from './cache-directory.js';
import { loadCacache } from './load-cacache.js';
import { EntryReader } from './sqlite-bodies.js';
import { APPLICATION_ID, FORMAT } from './sqlite-file.js';
import { readError } from './storage-errors.js';

/** An entry of a replica without its body. */
export interface SourceEntry {
  key: string;
  metadata: EntryMetadata;
  /** Under which cacache keeps the body, where it is kept there. */
  integrity?: string | undefined;
}

/**
 * A replica's directory that is only read: nothing in it is changed, not even by opening it. All that is read is as it
 * was at the opening, whatever others write there meanwhile.
 */
export class ReplicaSource {
  readonly path: string;
  readonly kind: StoreKind;
  /** How many entries it holds. */
  readonly size: number;
  readonly #database: DatabaseSync;
  /** How the file was at the opening, where it was opened without locks. */
  readonly #seen: string | undefined;
  #bodies: EntryReader | undefined;
  #row: StatementSync | undefined;

  /**
   * `inUse` says that this process writes there meanwhile. `ERR_CACHE_FOREIGN` for a path that is no replica, `ERR_CACHE_NEWER` for a newer version's, `ERR_STORAGE_READ` for one that cannot be read.
   */
  constructor(path: string, { inUse = false }: { inUse?: boolean } = {}) {
    this.path = path;
    const found = look(path);
    const seen = { ...found, logged: found.logged || inUse };
    // Even a connection that only reads makes files beside one in WAL mode. Nobody else has it open where there is no log.
    this.#seen = seen.logged ? undefined : seen.state;
    this.#database = open(path, seen.logged);
    try {
      assertReplica(this.#database, path);
      // One transaction for all reads: one state of the file.
      this.#database.exec('BEGIN');
      this.kind = this.#kind();
      this.size = this.#count();
    } catch (error) {
      this.#database.close();
      throw unreadable(path, error);
    }
  }

  /** All entries in the order of their keys. */
  *entries(): Iterable<SourceEntry> {
    if (this.kind === 'sqlite') {
      if (!this.#hasTable()) return;
      const found = this.#database.prepare('SELECT key, metadata FROM entries ORDER BY key').iterate();
      for (const { key, metadata } of found) yield { key: key as string, metadata: JSON.parse(metadata as string) };
      return;
    }
    for (const [key, value] of this.rows(ENTRY)) {
      const { integrity, ...metadata } = JSON.parse(value);
      yield {
        key: key.slice(ENTRY.length),
        integrity,
        metadata: { ...metadata, digest: metadata.digest ?? integrity },
      };
    }
  }

  /** The entry's bytes, matching size and digest; else `ERR_CORRUPT`. */
  async body({ key, metadata, integrity }: SourceEntry): Promise<Uint8Array> {
    const body = integrity === undefined ? this.#blob(key) : await this.#content(key, integrity);
    const whole =
      body?.length === metadata.size && (metadata.digest === integrity || matchesDigest(body, metadata.digest));
    if (body && whole) return body;
    throw new CacheError(
      'ERR_CORRUPT',
      `the bytes of ${key} in ${this.path} ${body ? 'do not match their digest' : 'are gone'}; fetch the entry again`,
    );
  }

  /** The value of a row; `undefined` on a miss. */
  row(key: string): string | undefined {
    this.#row ??= this.#database.prepare('SELECT value FROM rows WHERE key = ?');
    return this.#row.get(key)?.['value'] as string | undefined;
  }

  /** The value of a row as it is now, whatever it was at the opening. */
  rowNow(key: string): string | undefined {
    const now = new ReplicaSource(this.path);
    try {
      return now.row(key);
    } finally {
      now.close();
    }
  }

  /** How many rows refer to blobs. */
  get references(): number {
    return INDEX_PREFIXES.reduce((sum, prefix) => sum + this.count(prefix), 0);
  }

  /** How many rows there are whose keys begin so. */
  count(prefix: string): number {
    const { start = '', end } = prefixRange(prefix);
    return this.#number(
      'SELECT count(*) AS n FROM rows WHERE key >= ?1 AND (?2 IS NULL OR key < ?2)',
      start,
      end ?? null,
    );
  }

  /** Rows whose keys begin so, in order. */
  *rows(prefix = ''): Iterable<[key: string, value: string]> {
    const { start = '', end } = prefixRange(prefix);
    const rows = this.#database
      .prepare('SELECT key, value FROM rows WHERE key >= ?1 AND (?2 IS NULL OR key < ?2) ORDER BY key')
      .iterate(start, end ?? null);
    for (const { key, value } of rows) yield [key as string, value as string];
  }

  /** `ERR_STORAGE_READ` when somebody wrote to the file while it was read in the belief that nobody does. */
  assertUnchanged(): void {
    if (this.#seen === undefined) return;
    const { state, logged } = look(this.path);
    if (logged || state !== this.#seen) {
      throw new CacheError(
        'ERR_STORAGE_READ',
        `${this.path} was written to while it was read; run the same command again, it goes on from here`,
      );
    }
  }

  close(): void {
    this.#database.close();
  }

  #kind(): StoreKind {
    const row = this.#database.prepare('SELECT value FROM rows WHERE key = ?').get(STORE_KEY);
    return row?.['value'] === 'sqlite' ? 'sqlite' : 'cacache';
  }

  #count(): number {
    const { start, end } = prefixRange(ENTRY);
    if (this.kind === 'cacache')
      return this.#number('SELECT count(*) AS n FROM rows WHERE key >= ? AND key < ?', start as string, end as string);
    return this.#hasTable() ? this.#number('SELECT count(*) AS n FROM entries') : 0;
  }

  /** The table of bodies is made at the first use of them. */
  #hasTable(): boolean {
    return this.#number("SELECT count(*) AS n FROM sqlite_master WHERE name = 'entries'") > 0;
  }

  #number(sql: string, ...values: (string | null)[]): number {
    return Number(this.#database.prepare(sql).get(...values)?.['n']);
  }

  #blob(key: string): Uint8Array | undefined {
    // Once: what a statement takes outside of the heap is let go of late.
    this.#bodies ??= new EntryReader(this.#database);
    return this.#bodies.get(key)?.body;
  }

  async #content(key: string, integrity: string): Promise<Uint8Array | undefined> {
    const cacache = await loadCacache();
    try {
      return await cacache.get.byDigest(this.path, integrity, { memoize: false });
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'ENOENT') return undefined;
      if (code !== 'EINTEGRITY' && code !== 'EBADSIZE') throw readError(key, error);
      return new Uint8Array();
    }
  }
}

/** How the index file is now, and whether there is a log beside it that others write or that a crash left. */
function look(path: string): { state: string; logged: boolean } {
  const index = join(path, INDEX);
  try {
    const { mtimeNs, size } = statSync(index, { bigint: true });
    const log = statSync(`${index}-wal`, { throwIfNoEntry: false });
    return { state: `${mtimeNs} ${size}`, logged: log !== undefined && log.size > 0 };
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw foreign(path, `there is no ${INDEX} in it`, cause);
    throw readError(path, cause);
  }
}

function open(path: string, logged: boolean): DatabaseSync {
  const url = pathToFileURL(join(path, INDEX));
  if (!logged) url.searchParams.set('immutable', '1');
  try {
    return new DatabaseSync(url, { readOnly: true, timeout: 10_000 });
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function assertReplica(database: DatabaseSync, path: string): void {
  const id = database.prepare('PRAGMA application_id').get()?.['application_id'];
  const format = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
  if (id !== APPLICATION_ID) throw foreign(path, `its ${INDEX} belongs to another program`);
  if (format > FORMAT) {
    throw new CacheError(
      'ERR_CACHE_NEWER',
      `${path} was made by a newer version (format ${format}, this one reads ${FORMAT}); update _all_docs`,
    );
  }
}

function unreadable(path: string, error: unknown): CacheError {
  if (error instanceof CacheError) return error;
  if (error instanceof Error && /not a database|malformed/i.test(error.message))
    return foreign(path, `its ${INDEX} cannot be read as one: ${error.message}`, error);
  return readError(path, error);
}

function foreign(path: string, why: string, cause?: unknown): CacheError {
  return new CacheError('ERR_CACHE_FOREIGN', `${path} is no replica: ${why}; give the directory of a replica`, {
    cause,
  });
}
