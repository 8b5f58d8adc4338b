import { compareBytes, type EntryEncoding, type EntryMetadata, type StoredEntry } from '@_all_docs/cache';
import { closeBody, HttpError, type StreamingResponse } from '@_all_docs/http';
import type { PackumentForm } from '@_all_docs/packument';
import { type BulkEnd, type BulkFrame, badFrame, readFrames } from './bulk-frames.js';
import { OriginError } from './errors.js';

/** What a client asks for: documents of the names from `start` to `end`, both inclusive. */
export interface BulkRequest {
  start: string;
  end: string;
  form: PackumentForm;
  /** Digests of the stored bytes of what is held; `true` for what is wanted in no case. */
  held: ReadonlyMap<string, string | true>;
  signal?: AbortSignal | undefined;
}

/** A document as the other replica holds it. */
export interface ReceivedDocument {
  name: string;
  entry: StoredEntry;
}

/** A document that is held here already, as the digest says. */
export interface HeldDocument {
  name: string;
  entry: undefined;
}

export interface BulkReaderEnv {
  /** Sends the request for what is left. */
  ask(request: BulkRequest): Promise<StreamingResponse>;
  /** Whether the bytes are those of an integrity string; `undefined` where its kind is not known. */
  matchesDigest(body: Uint8Array, digest: string): boolean | Promise<boolean>;
  clock: { now(): number };
}

/** Streams that bring nothing in a row before what is left is given up. */
const TRIES = 3;
const BATCH_DOCUMENTS = 32;
const BATCH_BYTES = 1024 * 1024;
const TEXTS = ['etag', 'lastModified', 'rev', 'modified', 'digest'] as const;
const ENCODINGS: ReadonlySet<string> = new Set<EntryEncoding>(['identity', 'gzip', 'br', 'deflate', 'zstd']);

/**
 * The documents of a range, a batch at a time, in the order of their names. Each matches its digest; one that does not is
 * left out, and so is what the other replica does not hold. What came before a cut is kept: the rest is asked for again,
 * from the last name on. Ends, with names left out, when streams bring nothing any more; whoever reads asks for those one by one.
 */
export async function* readDocuments(
  env: BulkReaderEnv,
  request: BulkRequest,
): AsyncGenerator<(ReceivedDocument | HeldDocument)[], void, undefined> {
  const held = new Map(request.held);
  let start = request.start;
  for (let failures = 0; failures < TRIES; ) {
    const response = await env.ask({ ...request, start, held });
    if (response.status !== 200) return closeBody(response);
    const stream = new BulkStream(env, response.body, start, request.end);
    yield* stream.batches();
    const { last, next, error } = stream;
    if (error === undefined && next === null) return;
    if (error !== undefined && !isTransient(error)) throw error;
    failures = last === undefined && error !== undefined ? failures + 1 : 0;
    if (next !== null) start = next;
    else if (last !== undefined) {
      start = last;
      held.set(last, true);
    }
  }
}

/** One answer. */
class BulkStream {
  readonly #env: BulkReaderEnv;
  readonly #body: AsyncIterable<Uint8Array>;
  readonly #start: string;
  readonly #end: string;
  #frames = 0;
  /** The last name that came, and how it ended: a name to go on from, or an error. */
  last: string | undefined;
  next: string | null = null;
  error: unknown;

  constructor(env: BulkReaderEnv, body: AsyncIterable<Uint8Array>, start: string, end: string) {
    this.#env = env;
    this.#body = body;
    this.#start = start;
    this.#end = end;
  }

  async *batches(): AsyncGenerator<(ReceivedDocument | HeldDocument)[], void, undefined> {
    let batch: (ReceivedDocument | HeldDocument)[] = [];
    let bytes = 0;
    const iterator = this.#body[Symbol.asyncIterator]();
    try {
      for await (const frame of readFrames(iterator)) {
        if (frame.kind === 'end') {
          this.#finish(parse(frame.text) as BulkEnd);
          break;
        }
        const document = await this.#take(frame);
        if (!document) continue;
        batch.push(document);
        bytes += document.entry?.body.length ?? 0;
        if (batch.length < BATCH_DOCUMENTS && bytes < BATCH_BYTES) continue;
        yield batch;
        batch = [];
        bytes = 0;
      }
    } catch (error) {
      this.error = error;
    } finally {
      await iterator.return?.();
    }
    if (batch.length > 0) yield batch;
  }

  async #take(frame: BulkFrame): Promise<ReceivedDocument | HeldDocument | undefined> {
    this.#frames += 1;
    const said = parse(frame.text);
    if (frame.kind === 'held') return { name: this.#inTurn(said), entry: undefined };
    const [named, stored] = Array.isArray(said) ? said : [];
    const name = this.#inTurn(named);
    const metadata = metadataOf(stored, frame.body.length, this.#env.clock.now());
    const { digest } = metadata;
    if (digest === undefined || !(await this.#env.matchesDigest(frame.body, digest))) return undefined;
    return { name, entry: { body: frame.body, metadata } };
  }

  #inTurn(name: unknown): string {
    const isInTurn =
      typeof name === 'string' &&
      compareBytes(name, this.#end) <= 0 &&
      (this.last === undefined ? compareBytes(name, this.#start) >= 0 : compareBytes(name, this.last) > 0);
    if (!isInTurn) throw badFrame(`${JSON.stringify(name)} after ${JSON.stringify(this.last ?? this.#start)}`);
    this.last = name;
    return name;
  }

  #finish({ documents, held, next }: BulkEnd): void {
    if (documents + held !== this.#frames)
      throw badFrame(`${this.#frames} documents, where its end says ${documents + held}`);
    // A name that does not lead further would be asked for without end.
    const leads = next === null || (typeof next === 'string' && compareBytes(next, this.last ?? this.#start) > 0);
    if (!leads) throw badFrame('an end that leads nowhere');
    this.next = next;
  }
}

function metadataOf(said: unknown, size: number, now: number): EntryMetadata {
  const fields = (said ?? {}) as Record<string, unknown>;
  const { storedAt, encoding } = fields;
  if (typeof storedAt !== 'number' || typeof encoding !== 'string' || !ENCODINGS.has(encoding))
    throw badFrame('metadata of another kind');
  // When the registry confirmed these bytes, whoever carried them since; a clock that is ahead must not make them young for ever.
  const metadata: EntryMetadata = { storedAt: Math.min(storedAt, now), encoding: encoding as EntryEncoding, size };
  for (const name of TEXTS) {
    const value = fields[name];
    if (typeof value === 'string') metadata[name] = value;
  }
  return metadata;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badFrame('a text that is not JSON');
  }
}

function isTransient(error: unknown): boolean {
  if (error instanceof OriginError) return error.code === 'ERR_BAD_FRAME';
  return error instanceof HttpError && ['ERR_FETCH_FAILED', 'ERR_TIMEOUT', 'ERR_TOO_LARGE'].includes(error.code);
}
