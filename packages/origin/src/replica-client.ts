import {
  BaseHTTPClient,
  type Codec,
  type StreamingResponse,
  type StreamingTransport,
  type Transport,
} from '@_all_docs/http';
import type { PackumentForm } from '@_all_docs/packument';
import type { KeyRange } from '@_all_docs/partition';
import { type BulkRequest, type HeldDocument, type ReceivedDocument, readDocuments } from './bulk-client.js';
import { OriginError } from './errors.js';
import { writeHeld } from './held-list.js';
import {
  DOCUMENTS_PATH,
  digestOfFile,
  INDEX_PATH,
  isSameRegistry,
  PART_PATH,
  parseIndex,
  type ReplicaIndex,
} from './replica-index.js';

export interface ReplicaClientEnv {
  /** URL of the replica. */
  origin: string;
  transport: Transport;
  /** Documents in bulk come over it. */
  streaming?: StreamingTransport | undefined;
  codec?: Codec | undefined;
  clock: { now(): number };
  /** Whether the bytes are those of an integrity string; WebCrypto unless the host is faster. */
  matchesDigest?: ((body: Uint8Array, digest: string) => boolean | Promise<boolean>) | undefined;
}

/** What one replica takes from another beside npm's protocol. Nothing of it is needed: each part may be missing. */
export class ReplicaClient extends BaseHTTPClient {
  readonly #env: ReplicaClientEnv;
  readonly #matches: (body: Uint8Array, digest: string) => boolean | Promise<boolean>;

  constructor({ env }: { env: ReplicaClientEnv }) {
    super(env);
    this.#env = env;
    this.#matches = env.matchesDigest ?? matchesDigest;
  }

  /** What it offers; `undefined` where it offers nothing that is known here. Rejects as the transport does. */
  async index(signal?: AbortSignal): Promise<ReplicaIndex | undefined> {
    const response = await this.request(INDEX_PATH, {
      headers: { accept: 'application/json', 'accept-encoding': 'gzip' },
      signal,
    });
    if (!response.ok) return undefined;
    try {
      return parseIndex(response.json());
    } catch (error) {
      // One that a later version made is as good as none.
      if (error instanceof SyntaxError || error instanceof OriginError) return undefined;
      throw error;
    }
  }

  /** The gzip bytes of a range that an index names a file for; `undefined` when it names none, or they are not there (any more). */
  async part(
    index: ReplicaIndex,
    { startKey, endKey }: KeyRange,
    signal?: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const { partitions } = index;
    const place = partitions.findIndex((part) => part.startKey === startKey);
    const file = partitions[place]?.file;
    if (!file || (partitions[place + 1]?.startKey ?? null) !== endKey) return undefined;
    const { status, body, encoding } = await this.send(PART_PATH + file, {
      headers: { accept: 'application/gzip' },
      signal,
    });
    if (status !== 200 || encoding !== 'identity') return undefined;
    return (await this.#matches(body, digestOfFile(file) as string)) ? body : undefined;
  }

  /** Whether documents of this registry and form can be had in bulk. */
  hasDocuments({ documents }: ReplicaIndex, registry: string, form: PackumentForm): boolean {
    if (!documents || !this.#env.streaming || documents.form !== form) return false;
    return isSameRegistry(registry, this.origin + documents.registry);
  }

  /** See {@link readDocuments}. */
  documents(request: BulkRequest): AsyncGenerator<(ReceivedDocument | HeldDocument)[], void, undefined> {
    const { clock } = this.#env;
    return readDocuments({ ask: (rest) => this.#ask(rest), matchesDigest: this.#matches, clock }, request);
  }

  #ask({ start, end, form, held, signal }: BulkRequest): Promise<StreamingResponse> {
    const query = `form=${form}&startkey=${quoted(start)}&endkey=${quoted(end)}`;
    const { streaming } = this.#env;
    if (!streaming) throw new TypeError('documents in bulk need a transport that streams');
    return streaming({
      url: `${this.origin}${DOCUMENTS_PATH}?${query}`,
      method: 'POST',
      headers: { 'content-type': 'application/json', 'accept-encoding': 'identity' },
      body: writeHeld(held),
      signal,
    });
  }
}

function quoted(key: string): string {
  return encodeURIComponent(JSON.stringify(key));
}

const ALGORITHMS: Record<string, string> = { sha256: 'SHA-256', sha384: 'SHA-384', sha512: 'SHA-512' };

async function matchesDigest(body: Uint8Array, digest: string): Promise<boolean> {
  const split = digest.indexOf('-');
  const algorithm = ALGORITHMS[digest.slice(0, split)];
  if (algorithm === undefined) return false;
  const hash = new Uint8Array(await crypto.subtle.digest(algorithm, body as Uint8Array<ArrayBuffer>));
  return btoa(String.fromCharCode(...hash)) === digest.slice(split + 1);
}
