import {
  assertKey,
  CacheError,
  digestOf,
  type EntryEncoding,
  type EntryMetadata,
  type ListOptions,
  prefixRange,
  StorageDriver,
  type StoredEntry,
} from '@_all_docs/cache';
import { bytesOf, textOf } from './bytes.js';
import type { PostgresClient } from './client.js';
import { PostgresDatabase, type PostgresOptions } from './database.js';
import { matchesDigest } from './matches-digest.js';
import { PostgresOrderedStore, pageOf } from './postgres-ordered-store.js';

export interface PostgresStorageOptions extends PostgresOptions {
  /** Whether bytes are those of an integrity string, where the host is faster at it than WebCrypto. */
  matchesDigest?: ((body: Uint8Array, digest: string) => boolean | Promise<boolean>) | undefined;
  /** For `get` of codings that the platform cannot undo. */
  codec?: { decode(bytes: Uint8Array, encoding: EntryEncoding): Uint8Array | Promise<Uint8Array> } | undefined;
  /** Ends the client when the driver is closed; it stays open unless told. */
  end?: (() => Promise<void>) | undefined;
}

const PAGE = 1_000;
/** An index page takes no more of a key. */
const MAX_KEY_BYTES = 2_600;
/** The client sends bytes as hexadecimal text, and no text is longer. */
const MAX_BODY_BYTES = 256 * 1024 * 1024;

/**
 * Entries in PostgreSQL, and rows beside them: a primary that many processes share. The client is handed in: `postgres(url)`
 * on Node, one for each request over Hyperdrive on Workers. Every read is checked against the digest.
 */
export class PostgresStorageDriver extends StorageDriver {
  override readonly ordered: PostgresOrderedStore;
  override readonly maxKeyBytes = MAX_KEY_BYTES;
  protected override readonly clock: { now(): number };
  readonly #database: PostgresDatabase;
  readonly #options: PostgresStorageOptions;
  #closed: Promise<void> | undefined;

  constructor(client: PostgresClient, options: PostgresStorageOptions) {
    super();
    this.#options = options;
    this.clock = options.clock;
    this.#database = new PostgresDatabase(client, options);
    this.ordered = new PostgresOrderedStore(this.#database);
  }

  /** Makes the tables now instead of at the first call, so that trouble shows before work begins. */
  ready(): Promise<void> {
    return this.#database.ready();
  }

  async read(key: string): Promise<StoredEntry | undefined> {
    assertKey(key, this.maxKeyBytes);
    return this.#database.track(async () => {
      const [row] = await this.#database.read('SELECT metadata, body FROM $.entries WHERE key = $1', [bytesOf(key)]);
      if (!row) return undefined;
      const metadata = JSON.parse(row['metadata'] as string) as EntryMetadata;
      const body = row['body'] as Uint8Array;
      const matches = this.#options.matchesDigest ?? matchesDigest;
      if (metadata.size !== body.length || !(await matches(body, metadata.digest ?? ''))) {
        throw new CacheError(
          'ERR_CORRUPT',
          `the stored bytes of ${key} do not match their digest; fetch the entry again`,
        );
      }
      return { body, metadata };
    });
  }

  async head(key: string): Promise<EntryMetadata | undefined> {
    assertKey(key, this.maxKeyBytes);
    const [row] = await this.#database.read('SELECT metadata FROM $.entries WHERE key = $1', [bytesOf(key)]);
    return row && (JSON.parse(row['metadata'] as string) as EntryMetadata);
  }

  async write(key: string, { body, metadata }: StoredEntry): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    if (body.length > MAX_BODY_BYTES) {
      throw new CacheError(
        'ERR_VALUE_TOO_LARGE',
        `a body of ${body.length} bytes is over PostgreSQL's ${MAX_BODY_BYTES} here`,
      );
    }
    await this.#database.track(async () => {
      const digest = metadata.digest ?? (await digestOf(body));
      await this.#database.write(
        `INSERT INTO $.entries (key, metadata, body) VALUES ($1, $2, $3)
         ON CONFLICT (key) DO UPDATE SET metadata = excluded.metadata, body = excluded.body`,
        [bytesOf(key), JSON.stringify({ ...metadata, size: body.length, digest }), body],
      );
    });
  }

  override async touch(key: string, changed: Partial<EntryMetadata>): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    await this.#database.track(async () => {
      for (;;) {
        const row = bytesOf(key);
        const [held] = await this.#database.read('SELECT metadata FROM $.entries WHERE key = $1', [row]);
        if (!held) return;
        const before = held['metadata'] as string;
        const after = JSON.stringify({ ...JSON.parse(before), ...changed });
        const query = 'UPDATE $.entries SET metadata = $3 WHERE key = $1 AND metadata = $2 RETURNING 1';
        // Nobody's change in between is undone: then it is read again.
        if ((await this.#database.write(query, [row, before, after])).length > 0) return;
      }
    });
  }

  async delete(key: string): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    await this.#database.track(() => this.#database.write('DELETE FROM $.entries WHERE key = $1', [bytesOf(key)]));
  }

  async *list(prefix = '', { after, limit = Number.POSITIVE_INFINITY }: ListOptions = {}): AsyncIterable<string> {
    const { start = '', end } = prefixRange(prefix);
    for (let last = after ?? null, left = limit; left > 0; ) {
      const asked = Math.min(PAGE, left);
      const rows = await this.#database.read(
        'SELECT key FROM $.entries WHERE key >= $1 AND ($2::bytea IS NULL OR key <> $2) AND key < $3 ORDER BY key LIMIT $4',
        pageOf(start, end, last, asked),
      );
      for (const row of rows) {
        last = textOf(row['key']);
        yield last;
      }
      if (rows.length < asked) return;
      left -= rows.length;
    }
  }

  override close(): Promise<void> {
    this.#closed ??= this.#database.settled().then(() => this.#options.end?.());
    return this.#closed;
  }

  protected override async decode(body: Uint8Array, encoding: EntryEncoding): Promise<Uint8Array> {
    return this.#options.codec?.decode(body, encoding) ?? super.decode(body, encoding);
  }
}
