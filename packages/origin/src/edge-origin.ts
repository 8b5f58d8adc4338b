import {
  compareBytes,
  createPartitionKey,
  createStorageDriver,
  type OrderedStore,
  type StorageEnv,
  type StoredEntry,
} from '@_all_docs/cache';
import { type Codec, webCodec } from '@_all_docs/http';
import { type Answer, acceptsGzip, errorAnswer, jsonAnswer } from '@_all_docs/registry/edge';
import type { Change, ChangeSource } from './change-source.js';
import { OriginError } from './errors.js';
import { type PublishedListing, readListing } from './published-listing.js';
import { type AllDocsQuery, parseAllDocsQuery, parseChangesQuery } from './query.js';
import { placeAfter, seqOf } from './sequences.js';

/** What a host at the edge hands in. */
export interface EdgeOriginEnv extends StorageEnv {
  /** The replication host that the replica was listed from. */
  origin: string;
  ordered: Pick<OrderedStore, 'get'>;
  /** What was followed since the listing. */
  changes: ChangeSource;
  codec?: Codec | undefined;
}

interface Row {
  id: string;
  key: string;
  value: { rev: string | null };
}

const STATUS: Record<string, number> = {
  ERR_BAD_QUERY: 400,
  ERR_LISTING_LOST: 503,
  ERR_LISTING_RENEWED: 503,
  ERR_NO_FEED: 503,
  ERR_NO_LISTING: 503,
};
const SMALL_BYTES = 1_024;

/**
 * `/`, `/_all_docs` and `/_changes` as npm has them, also below `/registry`, from a listing that was pushed and what was
 * followed since: `ReplicaOrigin` in little. It reads the one or two partitions that a page needs, and counts names
 * (`total_rows`, `offset`, `doc_count`) as they were listed.
 */
export class EdgeOrigin {
  readonly #env: EdgeOriginEnv;

  constructor(env: EdgeOriginEnv) {
    this.#env = env;
  }

  /** `undefined` for a path that is none of ours. Never rejects: 400 for what npm answers 400 to, 503 while there is no listing. */
  async answer(target: string, acceptEncoding: string | undefined): Promise<Answer | undefined> {
    const [path = '', query = ''] = target.split('?', 2);
    const [, route] = /^\/(?:registry\/?)?(|_all_docs|_changes)$/.exec(path) ?? [];
    if (route === undefined) return undefined;
    try {
      const value = await this.#answer(route, new URLSearchParams(query));
      return await this.#page(value, acceptEncoding);
    } catch (error) {
      const { code = '', message } = error as { code?: string; message: string };
      const status = STATUS[code];
      return status === undefined ? errorAnswer(error) : jsonAnswer(status, { code, error: message });
    }
  }

  async #answer(route: string, query: URLSearchParams): Promise<string> {
    const asked = route === '_all_docs' ? parseAllDocsQuery(query) : undefined;
    const since = route === '_changes' ? parseChangesQuery(query) : undefined;
    const listing = await readListing(this.#env.ordered as OrderedStore, this.#env.origin);
    if (!listing) {
      throw new OriginError(
        'ERR_NO_LISTING',
        'no listing was pushed here: _all_docs push --to cloudflare, from a replica that listed everything',
      );
    }
    if (asked) return this.#allDocs(listing, asked);
    const head = await this.#head(listing);
    if (!since)
      return `${JSON.stringify({ db_name: 'registry', engine: 'all-docs', doc_count: listing.rows, update_seq: head })}\n`;
    if (head === undefined)
      throw new OriginError('ERR_NO_FEED', 'the origin that this replica was listed from has no feed of changes');
    return this.#changes(listing, since, head);
  }

  async #allDocs(listing: PublishedListing, { start, end, inclusiveEnd, limit }: AllDocsQuery): Promise<string> {
    const rows: string[] = [];
    let offset: number | undefined;
    for await (const { row, change, place } of this.#merged(listing, start, end)) {
      const name = row?.id ?? (change as Change).name;
      const past = end === null ? -1 : compareBytes(name, end);
      if (past > 0 || (past === 0 && !inclusiveEnd) || rows.length >= limit) break;
      offset ??= place;
      if (change?.deleted) continue;
      rows.push(JSON.stringify({ id: name, key: name, value: { rev: change?.rev ?? row?.value.rev ?? null } }));
    }
    return `{"total_rows":${listing.rows},"offset":${offset ?? 0},"rows":[\n${rows.join(',\n')}\n]}\n`;
  }

  async #changes(
    listing: PublishedListing,
    { since, limit }: { since: number; limit: number },
    head: number,
  ): Promise<string> {
    const { updateSeq = 0, shift, generation } = listing;
    const rows: string[] = [];
    let last = since;
    const add = (seq: number, id: string, rev: string | null, deleted: boolean) => {
      last = seq;
      rows.push(JSON.stringify({ seq, id, changes: [{ rev }], ...(deleted ? { deleted } : {}) }));
    };
    const first = since >= head ? undefined : placeAfter(since, { ...listing, updateSeq });
    if (first !== undefined && limit > 0) {
      const from = await this.#nameAt(listing, first);
      for await (const { row, change, place } of this.#merged(listing, from, null)) {
        // What changed since comes later, at its own sequence.
        if (row && !change && place >= first) add(seqOf(place, generation), row.id, row.value.rev, false);
        if (rows.length >= limit) break;
      }
    }
    if (rows.length < limit && since < head) {
      const followed = await this.#env.changes.after(Math.max(updateSeq, since - shift), limit - rows.length);
      for (const { seq, name, rev, deleted } of followed) add(seq + shift, name, rev ?? null, deleted);
    }
    const lastSeq = rows.length < limit && since < head ? Math.max(head, last) : last;
    return `{"results":[\n${rows.join(',\n')}\n],"last_seq":${lastSeq}}\n`;
  }

  /** Names from one on in the order of their bytes: as they were listed, as the feed has them since, or both. */
  async *#merged(
    listing: PublishedListing,
    start: string | null,
    end: string | null,
  ): AsyncIterable<{ row?: Row; change?: Change; place: number }> {
    const { parts, updateSeq = 0 } = listing;
    let place = 0;
    for (const [i, { startKey, rows: count }] of parts.entries()) {
      const endKey = parts[i + 1]?.startKey ?? null;
      const isBefore = start !== null && endKey !== null && compareBytes(endKey, start) <= 0;
      const isPast = end !== null && startKey !== null && compareBytes(startKey, end) > 0;
      if (isPast) return;
      if (!isBefore) {
        const rows = await this.#rows(listing, i);
        const range = {
          startKey: start !== null && (startKey === null || compareBytes(startKey, start) < 0) ? start : startKey,
          endKey,
        };
        const news: Change[] = [];
        for await (const change of this.#env.changes.byName(range)) if (change.seq > updateSeq) news.push(change);
        for (const [at, row] of rows.entries()) {
          if (start !== null && compareBytes(row.id, start) < 0) continue;
          while (news[0] && compareBytes(news[0].name, row.id) < 0)
            yield { change: news.shift() as Change, place: place + at };
          if (news[0]?.name === row.id) yield { row, change: news.shift() as Change, place: place + at };
          else yield { row, place: place + at };
        }
        for (const change of news) yield { change, place: place + count };
      }
      place += count;
    }
  }

  async #nameAt({ parts, ...listing }: PublishedListing, place: number): Promise<string | null> {
    let before = 0;
    for (const [i, { rows }] of parts.entries()) {
      if (place < before + rows) return (await this.#rows({ parts, ...listing }, i))[place - before]?.id ?? null;
      before += rows;
    }
    return null;
  }

  async #rows({ parts }: PublishedListing, part: number): Promise<Row[]> {
    const storage = await createStorageDriver(this.#env);
    const startKey = parts[part]?.startKey ?? null;
    const entry: StoredEntry | undefined = await storage.read(
      createPartitionKey(startKey, parts[part + 1]?.startKey ?? null, this.#env.origin),
    );
    if (!entry)
      throw new OriginError('ERR_LISTING_LOST', `the rows from ${startKey} on are gone; push the listing again`);
    if (entry.metadata.digest !== parts[part]?.digest) {
      throw new OriginError('ERR_LISTING_RENEWED', 'this replica is being listed anew; ask again in a while');
    }
    const text = await (this.#env.codec ?? webCodec).decode(entry.body, entry.metadata.encoding);
    return (JSON.parse(new TextDecoder().decode(text)) as { rows: Row[] }).rows;
  }

  async #head({ updateSeq, shift }: PublishedListing): Promise<number | undefined> {
    return updateSeq === undefined ? undefined : Math.max(updateSeq, (await this.#env.changes.head()) ?? 0) + shift;
  }

  async #page(text: string, acceptEncoding: string | undefined): Promise<Answer> {
    const bytes = new TextEncoder().encode(text);
    const zip = bytes.length > SMALL_BYTES && acceptsGzip(acceptEncoding);
    const body = zip ? await (this.#env.codec ?? webCodec).gzip(bytes, 'fast') : bytes;
    const headers = ['content-type', 'application/json', 'content-length', String(body.length)];
    if (zip) headers.push('content-encoding', 'gzip');
    return { status: 200, headers: [...headers, 'cache-control', 'no-cache', 'vary', 'Accept-Encoding'], body };
  }
}
