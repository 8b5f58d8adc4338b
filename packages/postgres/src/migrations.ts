/**
 * The tables, in steps: a step that was released is never changed, only followed by another. `$` stands for the schema.
 * Keys and values are bytes: PostgreSQL's text has no NUL, and bytes have the order that keys have everywhere.
 */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE $.rows (key bytea PRIMARY KEY, value bytea NOT NULL);
   CREATE TABLE $.entries (key bytea PRIMARY KEY, metadata text NOT NULL, body bytea NOT NULL);
   ALTER TABLE $.entries ALTER COLUMN body SET STORAGE EXTERNAL;`,
  `CREATE TABLE $.synced (
     table_name text COLLATE "C", id bytea, data text NOT NULL,
     created_at double precision NOT NULL, updated_at double precision NOT NULL,
     PRIMARY KEY (table_name, id));`,
];
