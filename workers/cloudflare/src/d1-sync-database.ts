import type { SyncData, SyncDatabase, SyncedRecord, SyncRecord } from '@_all_docs/tier';
import { reading, writing } from './entry.js';

const FIND = 'SELECT data, created_at, updated_at FROM synced WHERE table_name = ? AND id = ?';
const UPSERT = `INSERT INTO synced VALUES (?1, ?2, ?3, ?4, ?4)
  ON CONFLICT (table_name, id) DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at`;
const DELETE = 'DELETE FROM synced WHERE table_name = ? AND id = ?';

/** Records of `syncRecord` and its like in D1, in the table that `migrations/` makes. A record takes 2 MB at most. */
export class D1SyncDatabase implements SyncDatabase {
  readonly clock: { now(): number };
  readonly #db: D1Database;

  constructor(db: D1Database, { clock = Date }: { clock?: { now(): number } | undefined } = {}) {
    this.clock = clock;
    this.#db = db;
  }

  async find(table: string, id: string): Promise<SyncedRecord | undefined> {
    const found = this.#db
      .prepare(FIND)
      .bind(table, id)
      .first<{ data: string; created_at: number; updated_at: number }>();
    const row = await reading(id, found);
    return row
      ? { id, data: JSON.parse(row.data) as SyncData, createdAt: row.created_at, updatedAt: row.updated_at }
      : undefined;
  }

  upsert(table: string, id: string, data: SyncData): Promise<void> {
    return this.upsertAll(table, [{ id, data }]);
  }

  async upsertAll(table: string, records: readonly SyncRecord[]): Promise<void> {
    const now = this.clock.now();
    const upsert = this.#db.prepare(UPSERT);
    const rows = records.map(({ id, data }) => upsert.bind(table, id, JSON.stringify(data), now));
    if (rows.length > 0) await writing(`${table} ${records[0]?.id}`, this.#db.batch(rows));
  }

  async delete(table: string, id: string): Promise<void> {
    await writing(id, this.#db.prepare(DELETE).bind(table, id).run());
  }
}
