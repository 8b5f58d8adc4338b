import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** A larger body lies in pieces of this size: SQLite copies a value twice on its way into a row. */
const PIECE_BYTES = 1024 * 1024;
const NOTHING = new Uint8Array(0);

/** The table of entries, and beside it the pieces of large bodies. */
export const ENTRY_TABLES = `
  CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, metadata TEXT NOT NULL, body BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS pieces (key TEXT NOT NULL, place INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (key, place));`;

/** Puts and deletes entries, in the transaction of the caller. */
export class EntryWriter {
  readonly #entry: StatementSync;
  readonly #piece: StatementSync;
  readonly #delete: StatementSync;
  readonly #deletePieces: StatementSync;
  /** Whether there may be pieces at all: nearly never, and then nobody looks for them. */
  #inPieces: boolean;

  constructor(database: DatabaseSync) {
    this.#entry = database.prepare(
      'INSERT INTO entries (key, metadata, body) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET metadata = excluded.metadata, body = excluded.body',
    );
    this.#piece = database.prepare('INSERT INTO pieces (key, place, bytes) VALUES (?, ?, ?)');
    this.#delete = database.prepare('DELETE FROM entries WHERE key = ?');
    this.#deletePieces = database.prepare('DELETE FROM pieces WHERE key = ?');
    this.#inPieces = database.prepare('SELECT 1 FROM pieces LIMIT 1').get() !== undefined;
  }

  put(key: string, metadata: string, body: Uint8Array): void {
    const inRow = body.length <= PIECE_BYTES;
    this.#inPieces ||= !inRow;
    // A small body over one that another process stored in pieces since then leaves these behind, and they mean nothing.
    if (this.#inPieces) this.#deletePieces.run(key);
    this.#entry.run(key, metadata, inRow ? body : NOTHING);
    for (let at = 0; !inRow && at < body.length; at += PIECE_BYTES)
      this.#piece.run(key, at / PIECE_BYTES, body.subarray(at, at + PIECE_BYTES));
  }

  delete(key: string): void {
    this.#deletePieces.run(key);
    this.#delete.run(key);
  }
}

/** What a row holds of an entry. */
interface EntryRow {
  metadata: string;
  body: Uint8Array;
}

/** Reads entries with their bodies; a body that is not whole comes as it is, for the caller to find out. */
export class EntryReader {
  readonly #database: DatabaseSync;
  readonly #entry: StatementSync;
  #pieces: StatementSync | undefined;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#entry = database.prepare('SELECT metadata, body FROM entries WHERE key = ?');
  }

  get(key: string): EntryRow | undefined {
    const row = this.#row(key);
    if (!row || row.body.length > 0 || sizeOf(row) === 0) return row;
    if (this.#database.isTransaction) return this.#gather(key);
    // Row and pieces as they are at one moment: others may write meanwhile.
    this.#database.exec('BEGIN');
    try {
      return this.#gather(key);
    } finally {
      this.#database.exec('COMMIT');
    }
  }

  #row(key: string): EntryRow | undefined {
    return this.#entry.get(key) as EntryRow | undefined;
  }

  #gather(key: string): EntryRow | undefined {
    const row = this.#row(key);
    if (!row || row.body.length > 0) return row;
    const body = new Uint8Array(sizeOf(row));
    let at = 0;
    this.#pieces ??= this.#database.prepare('SELECT bytes FROM pieces WHERE key = ? ORDER BY place');
    for (const { bytes } of this.#pieces.iterate(key) as Iterable<{ bytes: Uint8Array }>) {
      body.set(bytes.subarray(0, body.length - at), at);
      at += bytes.length;
    }
    return { metadata: row.metadata, body: body.subarray(0, at) };
  }
}

function sizeOf({ metadata }: EntryRow): number {
  return Number(JSON.parse(metadata).size);
}
