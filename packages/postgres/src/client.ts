/** A row as the client gives it: `bytea` as bytes, `text` as a string, numbers as numbers. */
export type ClientRow = Record<string, unknown>;

/** What a query is sent with. */
export type Parameter = string | number | Uint8Array | null;

/**
 * The part of the `postgres` library's client (`postgres.Sql`) that is used here; it may be made with `fetch_types: false`.
 * Each call is one statement, and so a transaction of its own: `begin` of that library ends the process when a connection
 * is lost in its midst, and costs four more trips.
 */
export interface PostgresClient {
  unsafe(query: string, parameters?: Parameter[], options?: { prepare?: boolean }): PromiseLike<readonly ClientRow[]>;
}
