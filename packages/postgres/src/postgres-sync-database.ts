import type { SyncData, SyncDatabase, SyncedRecord, SyncRecord } from '@_all_docs/tier';
import { bytesOf, hexOf } from './bytes.js';
import type { PostgresClient } from './client.js';
import { PostgresDatabase, type PostgresOptions } from './database.js';

const UPSERT = `INSERT INTO $.synced (table_name, id, data, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)
  ON CONFLICT (table_name, id) DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at`;
/** Of two records with one id, the last one counts. */
const UPSERT_ALL = `INSERT INTO $.synced (table_name, id, data, created_at, updated_at)
  SELECT DISTINCT ON (id) $1, decode(r->>0, 'hex') AS id, convert_from(decode(r->>1, 'hex'), 'UTF8'), $3, $3
  FROM json_array_elements($2::text::json) WITH ORDINALITY AS given(r, place) ORDER BY id, place DESC
  ON CONFLICT (table_name, id) DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at`;

/** Records of `syncRecord` and its like in PostgreSQL. */
export class PostgresSyncDatabase implements SyncDatabase {
  readonly clock: { now(): number };
  readonly #database: PostgresDatabase;

  constructor(client: PostgresClient, options: PostgresOptions) {
    this.clock = options.clock;
    this.#database = new PostgresDatabase(client, options);
  }

  async find(table: string, id: string): Promise<SyncedRecord | undefined> {
    const query = 'SELECT data, created_at, updated_at FROM $.synced WHERE table_name = $1 AND id = $2';
    const [row] = await this.#database.read(query, [table, bytesOf(id)]);
    if (!row) return undefined;
    const data = JSON.parse(row['data'] as string) as SyncData;
    return { id, data, createdAt: Number(row['created_at']), updatedAt: Number(row['updated_at']) };
  }

  async upsert(table: string, id: string, data: SyncData): Promise<void> {
    await this.#database.write(UPSERT, [table, bytesOf(id), JSON.stringify(data), this.clock.now()]);
  }

  async upsertAll(table: string, records: readonly SyncRecord[]): Promise<void> {
    const given = records.map(({ id, data }) => [hexOf(id), hexOf(JSON.stringify(data))]);
    await this.#database.write(UPSERT_ALL, [table, JSON.stringify(given), this.clock.now()]);
  }

  async delete(table: string, id: string): Promise<void> {
    await this.#database.write('DELETE FROM $.synced WHERE table_name = $1 AND id = $2', [table, bytesOf(id)]);
  }
}
