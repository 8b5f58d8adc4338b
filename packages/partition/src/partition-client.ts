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
import { type AllDocsRow, type Dropped, parsePage, shortestSeparator, takeRows } from './page.js';
import { assertRange, type KeyRange } from './partition.js';

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

/** What one range holds, as far as it was asked. */
export interface Listing {
  /** The range that `rows` cover, whole. Shorter than what was asked when the range was cut. */
  startKey: string | null;
  endKey: string | null;
  rows: AllDocsRow[];
  /** Where the rest begins, when the range holds more than one page: a boundary cut short. */
  rest: string | undefined;
  /** The origin's count of all its rows, as the last page said. */
  totalRows: number;
  dropped: Dropped;
}

/** The most that the origin gives for one request; asking for more is a 400. */
export const PAGE_LIMIT = 10_000;
const PAGE_TRIES = 4;

/** Lists names and revisions by key range. */
export class PartitionClient extends BaseHTTPClient {
  readonly #env: PartitionEnv;
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
    const rows: AllDocsRow[] = [];
    let part: Listing = { ...(await this.list(asked, options.signal)) };
    for (const row of part.rows) rows.push(row);
    while (part.rest !== undefined) {
      part = await this.list({ startKey: part.rest, endKey: asked.endKey }, options.signal);
      for (const row of part.rows) rows.push(row);
    }
    const { body } = await this.store(asked, rows, part.totalRows);
    return new RegistryResponse(200, { 'content-type': 'application/json' }, body);
  }

  /**
   * Lists a range up to one full page. Where that is not all, the range is cut: the listing covers `[startKey, endKey)`
   * with its own `endKey`, and `rest` is where the next one begins. A short page is not taken for the last one:
   * it goes on until a page brings nothing new or passes the end.
   */
  async list(range: KeyRange, signal?: AbortSignal): Promise<Listing> {
    const rows: AllDocsRow[] = [];
    const dropped: Dropped = { overlap: 0, outside: 0, repeated: 0, foreign: 0 };
    for (;;) {
      const last = rows.at(-1)?.id;
      const page = await this.#page(range, last, signal);
      for (const row of page.rows) rows.push(row);
      for (const kind of Object.keys(dropped) as (keyof Dropped)[]) dropped[kind] += page.dropped[kind];
      const done = page.passedEnd || page.rows.length === 0;
      if (done || rows.length < PAGE_LIMIT) {
        if (!done) continue;
        return { ...range, rows, rest: undefined, totalRows: page.totalRows, dropped };
      }
      // The last row opens the rest: what lies between it and the row before is settled, what follows it is not.
      const opening = rows.pop() as AllDocsRow;
      const rest = shortestSeparator((rows.at(-1) as AllDocsRow).id, opening.id);
      return { startKey: range.startKey, endKey: rest, rows, rest, totalRows: page.totalRows, dropped };
    }
  }

  /** Keeps the rows of a range under its partition key, compressed; `body` is the same uncompressed. */
  async store(range: KeyRange, rows: readonly AllDocsRow[], totalRows: number): Promise<{ body: Uint8Array }> {
    const text = JSON.stringify({ total_rows: totalRows, offset: 0, rows });
    const body = new TextEncoder().encode(text);
    const packed = await this.codec.gzip(body, 'fast');
    const metadata: EntryMetadata = { storedAt: this.#env.clock.now(), encoding: 'gzip', size: packed.length };
    const storage = await this.#driver();
    await storage.write(createPartitionKey(range.startKey, range.endKey, this.#env.origin), { body: packed, metadata });
    return { body };
  }

  /** The stored rows of a range, however old; `undefined` when the range is not held. */
  async held(range: KeyRange): Promise<AllDocsRow[] | undefined> {
    const stored = await this.#stored(range, Number.POSITIVE_INFINITY);
    return stored?.json().rows;
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
    const page = parsePage(response.body);
    const taken = takeRows(page, range, after);
    if (taken.rows.length === 0 && taken.dropped.outside > 0) {
      throw new PartitionError(
        'ERR_BAD_PAGE',
        'the origin answered a range with rows of another one only; does it know startkey and endkey?',
      );
    }
    return { ...taken, totalRows: page.total_rows };
  }

  #driver(): Promise<StorageDriver> {
    this.#storage ??= createStorageDriver(this.#env);
    return this.#storage;
  }
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
