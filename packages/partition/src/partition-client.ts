import {
  CacheError,
  createPartitionKey,
  createStorageDriver,
  type EntryMetadata,
  type StorageDriver,
  type StorageEnv,
} from '@_all_docs/cache';
import { BaseHTTPClient, type Clock, type Codec, HttpError, RegistryResponse, type Transport } from '@_all_docs/http';
import { PartitionError } from './errors.js';
import { Listing } from './listing.js';
import { type AllDocsRow, type Dropped, PAGE_LIMIT, shortestSeparator, takeRows } from './page.js';
import { parsePage } from './parse-page.js';
import { assertRange, type KeyRange } from './partition.js';
import { RowTable } from './row-table.js';
import { SpareBuffers } from './spare-buffers.js';

/** The part of an environment that listing needs. */
export interface PartitionEnv extends StorageEnv {
  /** The replication host: `_all_docs` is asked there. */
  origin: string;
  transport: Transport;
  clock: Pick<Clock, 'now'>;
  codec?: Codec | undefined;
}

export interface PartitionRequestOptions {
  /** Ask the origin even when a young enough answer is stored. */
  refresh?: boolean;
  /** How old a stored answer may be, in milliseconds; five minutes unless told, as the registry's own caches have it. */
  maxAgeMs?: number;
  signal?: AbortSignal | undefined;
}

const PAGE_TRIES = 4;

/** Lists names and revisions by key range. */
export class PartitionClient extends BaseHTTPClient {
  readonly #env: PartitionEnv;
  readonly #spares = new SpareBuffers();
  #storage: Promise<StorageDriver> | undefined;

  constructor({ env }: { env: PartitionEnv }) {
    super({ origin: env.origin, transport: env.transport, codec: env.codec });
    this.#env = env;
  }

  /**
   * All rows of a range as one `_all_docs` answer (`total_rows`, `offset`, `rows`), each name once, kept in the cache
   * under the range's partition key. `ERR_BAD_RANGE` for an empty range; `ERR_BAD_PAGE` when the origin's pages cannot be trusted.
   */
  override async request(range: KeyRange | string, options: PartitionRequestOptions = {}): Promise<RegistryResponse> {
    if (typeof range === 'string') return super.request(range, options.signal ? { signal: options.signal } : {});
    const asked = { startKey: range.startKey ?? null, endKey: range.endKey ?? null };
    assertRange(asked);
    if (!options.refresh) {
      const stored = await this.#stored(asked, options.maxAgeMs ?? 300_000);
      if (stored) return stored;
    }
    let part = await this.list(asked, options.signal);
    const tables = [part.table];
    while (part.rest !== undefined) {
      part = await this.list({ startKey: part.rest, endKey: asked.endKey }, options.signal);
      tables.push(part.table);
    }
    const body = RowTable.concat(tables).toJson(...around(part.totalRows));
    await this.#keep(asked, body);
    return new RegistryResponse(200, { 'content-type': 'application/json' }, body);
  }

  /**
   * Lists a range up to one full page. Where that is not all, the range is cut: the listing covers `[startKey, endKey)`
   * with its own `endKey`, and `rest` is where the next one begins. A short page is not taken for the last one:
   * it goes on until a page brings nothing new or passes the end.
   */
  async list({ startKey, endKey }: KeyRange, signal?: AbortSignal): Promise<Listing> {
    let table = RowTable.of([]);
    const dropped: Dropped = { overlap: 0, outside: 0, repeated: 0, foreign: 0 };
    for (;;) {
      const last = table.length > 0 ? table.id(table.length - 1) : undefined;
      const page = await this.#page({ startKey, endKey }, last, signal);
      const { totalRows } = page;
      table = RowTable.concat([table, page.rows]);
      for (const kind of Object.keys(dropped) as (keyof Dropped)[]) dropped[kind] += page.dropped[kind];
      if (page.passedEnd || page.rows.length === 0) {
        return new Listing({ startKey, endKey, table, rest: undefined, totalRows, dropped });
      }
      if (table.length < PAGE_LIMIT) continue;
      // The last row opens the rest: what lies between it and the row before is settled, what follows it is not.
      const opening = table.length - 1;
      const rest = shortestSeparator(table.id(opening - 1), table.id(opening));
      return new Listing({ startKey, endKey: rest, table: table.slice(0, opening), rest, totalRows, dropped });
    }
  }

  /** Keeps the rows of a range under its partition key, compressed. */
  async store(range: KeyRange, rows: RowTable | readonly AllDocsRow[], totalRows: number): Promise<void> {
    const body = RowTable.of(rows).toJson(...around(totalRows), (size) => this.#spares.take(size));
    await this.#keep(range, body);
    this.#spares.give(body);
  }

  /**
   * Keeps a listing of a range as another replica holds it, gzip and byte for byte, if it is one: its rows are in order,
   * inside the range, and as many as `count`. `undefined`, and nothing is kept, if it is not.
   */
  async adopt(range: KeyRange, packed: Uint8Array, count: number): Promise<RowTable | undefined> {
    try {
      const { rows } = parsePage(await this.codec.decode(packed, 'gzip'));
      if (rows.length !== count || takeRows(rows, range, undefined).rows.length !== count) return undefined;
      await this.#write(range, packed);
      return rows;
    } catch (error) {
      if (isDamage(error)) return undefined;
      throw error;
    }
  }

  /** The stored rows of a range as objects, however old; `undefined` when the range is not held. */
  async held(range: KeyRange): Promise<AllDocsRow[] | undefined> {
    return (await this.heldTable(range))?.toArray();
  }

  /** The stored rows of a range without their objects, however old; `undefined` when the range is not held. */
  async heldTable(range: KeyRange): Promise<RowTable | undefined> {
    const stored = await this.#stored(range, Number.POSITIVE_INFINITY);
    try {
      return stored && parsePage(stored.body).rows;
    } catch (error) {
      if (isDamage(error)) return undefined;
      throw error;
    }
  }

  async #keep(range: KeyRange, body: Uint8Array): Promise<void> {
    await this.#write(range, await this.codec.gzip(body, 'fast'));
  }

  async #write(range: KeyRange, packed: Uint8Array): Promise<void> {
    const metadata: EntryMetadata = { storedAt: this.#env.clock.now(), encoding: 'gzip', size: packed.length };
    const storage = await this.#driver();
    await storage.write(createPartitionKey(range.startKey, range.endKey, this.#env.origin), { body: packed, metadata });
  }

  async #stored(range: KeyRange, maxAgeMs: number): Promise<RegistryResponse | undefined> {
    const storage = await this.#driver();
    try {
      const entry = await storage.read(createPartitionKey(range.startKey, range.endKey, this.#env.origin));
      if (!entry || this.#env.clock.now() - entry.metadata.storedAt > maxAgeMs) return undefined;
      const body = await this.codec.decode(entry.body, entry.metadata.encoding);
      return new RegistryResponse(200, { 'content-type': 'application/json' }, body);
    } catch (error) {
      // A damaged answer is as good as none: it is asked for again.
      if (isDamaged(error)) return undefined;
      throw error;
    }
  }

  /** One page that can be trusted; a damaged one is asked for again. */
  async #page(range: KeyRange, after: string | undefined, signal: AbortSignal | undefined) {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#tryPage(range, after, signal);
      } catch (error) {
        if (tries === PAGE_TRIES || !isDamage(error)) throw error;
      }
    }
  }

  async #tryPage(range: KeyRange, after: string | undefined, signal: AbortSignal | undefined) {
    const response = await super.request(pagePath(after ?? range.startKey, range.endKey), {
      headers: { accept: 'application/json', 'accept-encoding': 'gzip' },
      signal,
    });
    if (response.statusCode === 304) {
      throw new PartitionError(
        'ERR_BAD_PAGE',
        'the origin answered _all_docs with 304, though nothing was held against it',
      );
    }
    if (response.statusCode !== 200) throw refused(response, this.origin);
    const { totalRows, rows } = parsePage(response.body);
    const taken = takeRows(rows, range, after);
    if (taken.rows.length === 0 && taken.dropped.outside > 0) {
      throw new PartitionError(
        'ERR_BAD_PAGE',
        'the origin answered a range with rows of another one only; does it know startkey and endkey?',
      );
    }
    return { ...taken, totalRows };
  }

  #driver(): Promise<StorageDriver> {
    this.#storage ??= createStorageDriver(this.#env);
    return this.#storage;
  }
}

/** What stands around the rows of a stored listing. */
function around(totalRows: number): [head: string, tail: string] {
  return [`{"total_rows":${totalRows},"offset":0,"rows":[`, ']}'];
}

/** Keys are JSON on the wire, then percent-encoded as a whole. */
function pagePath(startKey: string | null, endKey: string | null): string {
  const start = startKey === null ? '' : `startkey=${encodeURIComponent(JSON.stringify(startKey))}&`;
  const end = endKey === null ? '' : `endkey=${encodeURIComponent(JSON.stringify(endKey))}&`;
  return `/_all_docs?${start}${end}limit=${PAGE_LIMIT}`;
}

function isDamaged(error: unknown): boolean {
  return (
    (error instanceof CacheError && error.code === 'ERR_CORRUPT') ||
    (error instanceof HttpError && error.code === 'ERR_ENCODING')
  );
}

function isDamage(error: unknown): boolean {
  if (error instanceof PartitionError) return error.code === 'ERR_BAD_PAGE';
  return error instanceof HttpError && error.code === 'ERR_ENCODING';
}

function refused(response: RegistryResponse, origin: string): HttpError {
  return new HttpError(
    'ERR_NOT_REGISTRY',
    `${origin}/_all_docs answered ${response.statusCode}: ${response.text().slice(0, 200)}; check --origin, it must be a registry's replication host`,
    { status: response.statusCode },
  );
}
