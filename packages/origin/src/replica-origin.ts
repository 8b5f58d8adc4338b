import { createStorageDriver, type OrderedStore, type StorageEnv } from '@_all_docs/cache';
import { type Codec, webCodec } from '@_all_docs/http';
import type { PackumentForm } from '@_all_docs/packument';
import {
  type Answer,
  type AnswerRequest,
  acceptsGzip,
  errorAnswer,
  jsonAnswer,
  notFound,
  streamOf,
} from '@_all_docs/registry';
import { writeAllDocs } from './all-docs-page.js';
import { DOCUMENTS_TYPE } from './bulk-frames.js';
import { documentFrames } from './bulk-sender.js';
import { type ChangeSource, noChanges } from './change-source.js';
import { updateSeqOf, writeChanges } from './changes-page.js';
import { OriginError } from './errors.js';
import { readHeld } from './held-list.js';
import { MergedList } from './merged-list.js';
import { PartTables } from './part-tables.js';
import { type PublishedListing, readListing } from './published-listing.js';
import { parseAllDocsQuery, parseChangesQuery, parseRange } from './query.js';
import { DOCUMENTS_PATH, INDEX_PATH, makeIndex, PART_PATH, readPart } from './replica-index.js';

/** What a host hands in. */
export interface ReplicaOriginEnv extends StorageEnv {
  /** The replication host that the replica was listed from. */
  origin: string;
  /** The registry that its documents are from. */
  registry: string;
  ordered: OrderedStore;
  /** What was followed since the listing; nothing unless told. */
  changes?: ChangeSource | undefined;
  codec?: Codec | undefined;
}

export interface ReplicaOriginOptions {
  /** Path of our registry; `/npm/` unless told. */
  prefix?: string | undefined;
  /** Which form of documents is held; `full` unless told. */
  form?: PackumentForm | undefined;
  /** An answer with documents ends after so many bytes, and another request goes on; 128 MiB unless told. */
  bulkBytes?: number | undefined;
  /** Hears of what could not be answered. */
  onFailure?: ((target: string, error: unknown) => void) | undefined;
}

const STATUS: Partial<Record<string, number>> = {
  ERR_LISTING_LOST: 503,
  ERR_LISTING_RENEWED: 503,
  ERR_NO_FEED: 503,
  ERR_NO_LISTING: 503,
};
const RETRY_SECONDS = '30';
/** Smaller answers are not worth packing. */
const SMALL_BYTES = 1_024;
const FOR_EVER = 'public, max-age=31536000, immutable';
const JSON_TYPE = 'application/json';

type Work = (query: URLSearchParams, request: AnswerRequest) => Promise<Answer>;

/**
 * A replica as an origin: `/`, `/_all_docs` and `/_changes` as npm has them, also below `/registry`; and for other
 * replicas partitions that never change, and documents in bulk. All of it from what is stored; nothing is asked of anybody.
 */
export class ReplicaOrigin {
  readonly #env: ReplicaOriginEnv;
  readonly #options: ReplicaOriginOptions;
  readonly #changes: ChangeSource;
  readonly #tables: PartTables;
  /** The listing as it was read last, by its text. */
  #list: MergedList | undefined;

  constructor({ env, options = {} }: { env: ReplicaOriginEnv; options?: ReplicaOriginOptions }) {
    this.#env = env;
    this.#options = options;
    this.#changes = env.changes ?? noChanges;
    this.#tables = new PartTables(env, env.origin);
  }

  /**
   * The answer to a request; `undefined` for a path that is none of ours. Never rejects: 400 in npm's shape for what npm
   * answers 400 to, 503 while no listing is complete, 500 for trouble of our own.
   */
  async answer(request: AnswerRequest, target: string): Promise<Answer | undefined> {
    const mark = target.indexOf('?');
    const path = mark < 0 ? target : target.slice(0, mark);
    const work = this.#workFor(path);
    if (!work) return undefined;
    const allowed = path === DOCUMENTS_PATH ? 'POST' : 'GET, HEAD';
    if (!allowed.split(', ').includes(request.method))
      return jsonAnswer(405, { code: 'MethodNotAllowedError', error: `${request.method} is not allowed here` }, [
        'allow',
        allowed,
      ]);
    try {
      return await work(new URLSearchParams(mark < 0 ? '' : target.slice(mark)), request);
    } catch (error) {
      return this.#failed(target, error);
    }
  }

  #workFor(path: string): Work | undefined {
    switch (path) {
      case '/':
      case '/registry':
      case '/registry/':
        return async () => this.#root(path === '/');
      case '/_all_docs':
      case '/registry/_all_docs':
        return async (query, request) => {
          const asked = parseAllDocsQuery(query);
          return this.#page(request, await writeAllDocs(await this.#merged(), asked));
        };
      case '/_changes':
      case '/registry/_changes':
        return async (query, request) => {
          const asked = parseChangesQuery(query);
          const parts = { tables: this.#tables, changes: this.#changes };
          const text = await writeChanges(await this.#merged(), parts, asked);
          return this.#page(request, new TextEncoder().encode(text));
        };
      case INDEX_PATH:
        return (_, request) => this.#index(request);
      case DOCUMENTS_PATH:
        return (query, request) => this.#documents(query, request);
      default:
        return path.startsWith(PART_PATH) ? () => this.#part(path.slice(PART_PATH.length)) : undefined;
    }
  }

  async #root(withEngine: boolean): Promise<Answer> {
    const list = await this.#merged();
    const updateSeq = await updateSeqOf(list, this.#changes);
    return jsonAnswer(200, {
      db_name: 'registry',
      ...(withEngine ? { engine: 'all-docs' } : {}),
      doc_count: await list.total(),
      ...(updateSeq === undefined ? {} : { update_seq: updateSeq }),
    });
  }

  async #index(request: AnswerRequest): Promise<Answer> {
    const { form = 'full', prefix = '/npm/' } = this.#options;
    const index = await makeIndex(await this.#merged(), { registry: prefix, form });
    return this.#page(request, new TextEncoder().encode(JSON.stringify(index)));
  }

  async #part(file: string): Promise<Answer> {
    const body = await readPart(this.#env, await this.#merged(), file);
    if (!body) return notFound('no partition has these bytes (any more)');
    // Not as a coding of JSON: whoever carries it must leave the bytes alone that the name is the digest of.
    const headers = [
      'content-type',
      'application/gzip',
      'content-length',
      String(body.length),
      'cache-control',
      FOR_EVER,
    ];
    return { status: 200, headers, body };
  }

  async #documents(query: URLSearchParams, request: AnswerRequest): Promise<Answer> {
    const { form = 'full', bulkBytes: enoughBytes = 128 * 1024 * 1024 } = this.#options;
    const wanted = query.get('form') ?? form;
    if (wanted !== form) throw new OriginError('ERR_BAD_QUERY', `this replica holds ${form} documents, not ${wanted}`);
    const range = { ...parseRange(query), form, held: await readHeld(request.body), enoughBytes };
    // Opened here: its trouble is an answer, not a cut stream.
    await createStorageDriver(this.#env);
    const body = streamOf(documentFrames(this.#env, range), 1);
    return { status: 200, headers: ['content-type', DOCUMENTS_TYPE, 'cache-control', 'no-store'], body };
  }

  async #merged(): Promise<MergedList> {
    const { ordered, origin } = this.#env;
    const listing = await readListing(ordered, origin);
    if (!listing) {
      throw new OriginError(
        'ERR_NO_LISTING',
        'this replica has no complete listing to show; list everything with: _all_docs bootstrap --depth names',
      );
    }
    if (!this.#list || !isSame(this.#list.listing, listing))
      this.#list = new MergedList(listing, this.#tables, this.#changes);
    return this.#list;
  }

  async #page(request: AnswerRequest, bytes: Uint8Array): Promise<Answer> {
    const zip = bytes.length > SMALL_BYTES && acceptsGzip(request.headers.get('accept-encoding') ?? undefined);
    const body = zip ? await (this.#env.codec ?? webCodec).gzip(bytes, 'fast') : bytes;
    return {
      status: 200,
      headers: [
        ...['content-type', JSON_TYPE, 'content-length', String(body.length)],
        ...(zip ? ['content-encoding', 'gzip'] : []),
        ...['cache-control', 'no-cache', 'vary', 'Accept-Encoding'],
      ],
      body,
    };
  }

  #failed(target: string, error: unknown): Answer {
    const { code, message } = error as { code?: string; message: string };
    if (code === 'ERR_BAD_QUERY') return jsonAnswer(400, { error: 'Bad Request', reason: message });
    const status = STATUS[code ?? ''];
    // Only what passes by itself is worth waiting for.
    const wait = code === 'ERR_LISTING_RENEWED' ? ['retry-after', RETRY_SECONDS] : [];
    if (status !== undefined) return jsonAnswer(status, { code, error: message }, wait);
    const answer = errorAnswer(error);
    if (answer.status >= 500) this.#options.onFailure?.(target, error);
    return answer;
  }
}

/** The listings of one origin: whether nothing was published in between. */
function isSame(a: PublishedListing, b: PublishedListing): boolean {
  return a.at === b.at && a.generation === b.generation && a.updateSeq === b.updateSeq && a.shift === b.shift;
}
