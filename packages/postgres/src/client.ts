/** A row as the client gives it: `bytea` as bytes, `text` as a string, numbers as numbers. */
export type ClientRow = Record<string, unknown>;

/** What a query is sent with. */
export type Parameter = string | number | Uint8Array | null;

/** Whatever takes a query: a client, or a transaction of it. */
export interface Queryable {
  unsafe(query: string, parameters?: Parameter[], options?: { prepare?: boolean }): PromiseLike<readonly ClientRow[]>;
}

/** The part of the `postgres` library's client (`postgres.Sql`) that is used here; it may be made with `fetch_types: false`. */
export interface PostgresClient extends Queryable {
  begin<T>(options: string, work: (transaction: Queryable) => Promise<T>): PromiseLike<unknown>;
}
