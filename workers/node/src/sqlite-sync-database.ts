import type { SyncData, SyncDatabase, SyncedRecord, SyncRecord } from '@_all_docs/tier';
import type { StatementSync } from 'node:sqlite';
import { systemClock } from './clock.js';
import { SqliteFile } from './sqlite-file.js';

const TABLE = `
  CREATE TABLE IF NOT EXISTS synced (
    table_name TEXT NOT NULL, id TEXT NOT NULL, data TEXT NOT NULL, created_at REAL NOT NULL, updated_at REAL NOT NULL,
    PRIMARY KEY (table_name, id)) WITHOUT ROWID`;

/** Records of `syncRecord` and its like in an SQLite file: a path of its own, or one that others use too. */
export class SqliteSyncDatabase implements SyncDatabase {
  readonly clock: { now(): number };
  readonly #file: SqliteFile;
  readonly #find: StatementSync;
  readonly #upsert: StatementSync;
  readonly #delete: StatementSync;

  constructor(file: SqliteFile | string, { clock = systemClock }: { clock?: { now(): number } | undefined } = {}) {
    this.clock = clock;
    this.#file = typeof file === 'string' ? new SqliteFile(file) : file;
    const { database } = this.#file;
    database.exec(TABLE);
    this.#find = database.prepare('SELECT data, created_at, updated_at FROM synced WHERE table_name = ? AND id = ?');
    this.#upsert = database.prepare(
      `INSERT INTO synced (table_name, id, data, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)
       ON CONFLICT (table_name, id) DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at`,
    );
    this.#delete = database.prepare('DELETE FROM synced WHERE table_name = ? AND id = ?');
  }

  async find(table: string, id: string): Promise<SyncedRecord | undefined> {
    const row = this.#file.read(() => this.#find.get(table, id));
    if (!row) return undefined;
    const data = JSON.parse(String(row['data'])) as SyncData;
    return { id, data, createdAt: Number(row['created_at']), updatedAt: Number(row['updated_at']) };
  }

  async upsert(table: string, id: string, data: SyncData): Promise<void> {
    await this.upsertAll(table, [{ id, data }]);
  }

  async upsertAll(table: string, records: readonly SyncRecord[]): Promise<void> {
    // Made before the transaction, which others share: what has no JSON form harms nobody else.
    const rows = records.map(({ id, data }) => ({ id, text: JSON.stringify(data) }));
    const now = this.clock.now();
    await this.#file.transact(() => {
      for (const { id, text } of rows) this.#upsert.run(table, id, text, now);
    });
  }

  async delete(table: string, id: string): Promise<void> {
    await this.#file.transact(() => this.#delete.run(table, id));
  }

  /** Writes what is pending and closes the file. */
  close(): void {
    this.#file.close();
  }
}
