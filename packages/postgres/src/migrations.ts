import { COMMIT_ROWS } from './commit-rows.js';

/**
 * The tables, in steps: a step that was released is never changed, only followed by another. `$.` stands for the schema.
 * Keys and values are bytes: PostgreSQL's text has no NUL, and bytes have the order that keys have everywhere.
 */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE $.rows (key bytea PRIMARY KEY, value bytea NOT NULL);
   CREATE TABLE $.entries (key bytea PRIMARY KEY, metadata text NOT NULL, body bytea NOT NULL);
   ALTER TABLE $.entries ALTER COLUMN body SET STORAGE EXTERNAL;
   ${COMMIT_ROWS}`,
  `CREATE TABLE $.synced (
     table_name text COLLATE "C", id bytea, data text NOT NULL,
     created_at double precision NOT NULL, updated_at double precision NOT NULL,
     PRIMARY KEY (table_name, id));`,
];

/** One statement that takes all steps that are missing, alone. */
export function migration(schema: string): string {
  const steps = MIGRATIONS.map(
    (step, i) => `IF NOT EXISTS (SELECT FROM $.migrations WHERE version = ${i + 1}) THEN
      ${step}
      INSERT INTO $.migrations (version) VALUES (${i + 1});
    END IF;`,
  );
  return `DO $do$ BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('_all_docs.migrations', 0));
    CREATE SCHEMA IF NOT EXISTS "${schema}";
    CREATE TABLE IF NOT EXISTS $.migrations (version integer PRIMARY KEY, applied_at timestamptz DEFAULT now());
    ${steps.join('\n    ')}
  END $do$`;
}
