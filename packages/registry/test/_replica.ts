import { MemoryStorageDriver } from '@_all_docs/cache';
import { type Hashers, MemoryBlobBackend, Store } from '@_all_docs/content';
import {
  aborted,
  type StreamingTransport,
  type Transport,
  type TransportRequest,
  type TransportResponse,
} from '@_all_docs/http';
import { PackumentClient } from '@_all_docs/packument';
import { NpmRegistry, type RegistryEnv, type RegistryOptions } from '@_all_docs/registry';
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';

const REGISTRY = 'https://registry.example.test';
export const FULL = 'application/json';
export const ABBREVIATED = 'application/vnd.npm.install-v1+json';

/** Time that moves when it is told to; who sleeps wakes then. `sleep(0)` only lets others have their turn. */
export class VirtualClock {
  time = 1_750_000_000_000;
  #sleepers: { until: number; wake: () => void }[] = [];

  now = (): number => this.time;

  sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
    if (ms === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const sleeper = { until: this.time + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(aborted(signal));
      });
    });
  };

  get sleeping(): number {
    return this.#sleepers.length;
  }

  async advance(ms: number): Promise<void> {
    this.time += ms;
    const awake = this.#sleepers.filter(({ until }) => until <= this.time);
    this.#sleepers = this.#sleepers.filter(({ until }) => until > this.time);
    for (const { wake } of awake) wake();
    await settled();
  }
}

/** All that is under way and needs no clock has come to its end. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

type Say = TransportResponse | Error | ((request: TransportRequest) => TransportResponse | Promise<TransportResponse>);

/** An origin that says what it was told to, by path. */
export class Origin {
  readonly requests: TransportRequest[] = [];
  readonly #said = new Map<string, Say>();

  say(path: string, say: Say): void {
    this.#said.set(path, say);
  }

  /** Requests for a path; all of them without one. */
  asked(path?: string): number {
    return this.requests.filter(({ url }) => path === undefined || url === REGISTRY + path).length;
  }

  transport: Transport = async (request) => {
    this.requests.push(request);
    if (!request.url.startsWith(`${REGISTRY}/`)) throw new Error(`asked elsewhere: ${request.url}`);
    const say = this.#said.get(request.url.slice(REGISTRY.length)) ?? answer('{"error":"Not found"}', { status: 404 });
    if (say instanceof Error) throw say;
    const response = await (typeof say === 'function' ? say(request) : say);
    const { etag } = response.headers;
    if (etag !== undefined && request.headers?.['if-none-match'] === etag)
      return { ...response, status: 304, body: new Uint8Array(), encoding: 'identity' };
    return response;
  };

  streaming: StreamingTransport = async (request) => {
    const { status, headers, body } = await this.transport(request);
    const pieces = async function* () {
      yield body;
    };
    return { status, headers, body: pieces() };
  };
}

export function answer(
  text: string,
  { status = 200, headers = {} }: { status?: number; headers?: Record<string, string> } = {},
): TransportResponse {
  const body = Uint8Array.from(gzipSync(text, { level: 1 }));
  return { status, headers: { 'content-type': 'application/json', ...headers }, body, encoding: 'gzip' };
}

export function blob(body: Uint8Array): TransportResponse {
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(body.length) };
  return { status: 200, headers, body, encoding: 'identity' };
}

export const sri = (bytes: Uint8Array) => `sha512-${createHash('sha512').update(bytes).digest('base64')}`;

export interface VersionOptions {
  more?: object;
  tarball?: Uint8Array;
}

/** A full document as the registry has it. */
export function documentOf(
  name: string,
  versions: Record<string, VersionOptions> = { '1.0.0': {} },
  more: object = {},
) {
  const base = name.slice(name.indexOf('/') + 1);
  const time = { created: '2024-01-01T00:00:00.000Z', modified: '2025-01-02T03:04:05.678Z' };
  return {
    _id: name,
    _rev: '3-abc',
    name,
    description: `what ${name} is for`,
    'dist-tags': { latest: Object.keys(versions).at(-1) },
    versions: Object.fromEntries(
      Object.entries(versions).map(([version, { more: fields, tarball }]) => [
        version,
        {
          name,
          version,
          description: 'a version',
          main: 'index.js',
          scripts: { test: 'node test' },
          dependencies: { a: '^1.0.0' },
          dist: {
            shasum: 'a'.repeat(40),
            tarball: `${REGISTRY}/${name}/-/${base}-${version}.tgz`,
            ...(tarball ? { integrity: sri(tarball), shasum: undefined } : {}),
          },
          _npmUser: { name: 'somebody' },
          ...fields,
        },
      ]),
    ),
    time,
    readme: '# read me',
    maintainers: [{ name: 'somebody' }],
    ...more,
  };
}

/** A replica over memory, with an origin that says what it is told. */
export function replica({
  options = {},
  env: more = {},
  storage = new MemoryStorageDriver(),
  origin = new Origin(),
  clock = new VirtualClock(),
}: {
  options?: RegistryOptions;
  env?: Partial<RegistryEnv>;
  storage?: MemoryStorageDriver;
  origin?: Origin;
  clock?: VirtualClock;
} = {}) {
  const hashers: Hashers = {
    address: 'sha256',
    create(algorithm) {
      const hash = createHash(algorithm === 'blake3' ? 'sha256' : algorithm);
      return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
    },
  };
  const log: string[] = [];
  const note = (message: string, fields?: object) => void log.push(`${message} ${JSON.stringify(fields ?? {})}`);
  const env: RegistryEnv = {
    registry: REGISTRY,
    storage,
    ordered: storage.ordered,
    transport: origin.transport,
    streaming: origin.streaming,
    blobs: new Store({ backend: new MemoryBlobBackend(clock), hashers }),
    clock,
    logger: { info: note, warn: note, error: note },
    ...more,
  };
  const registry = new NpmRegistry({ env, options });
  /** Puts a document into the store as a bootstrap does. */
  const hold = async (document: { name: string }, headers: Record<string, string> = {}) => {
    const text = JSON.stringify(document);
    const transport: Transport = async () => answer(text, { headers });
    const client = new PackumentClient({ env: { ...env, transport }, form: options.form ?? 'full' });
    await client.fetch(document.name);
  };
  return {
    registry,
    env,
    storage,
    origin,
    clock,
    log,
    hold,
    /** Asks as a server does: with the raw target. */
    ask: (target: string, request: Ask = {}) => ask(registry, target, request),
    hot: (target: string, { method = 'GET', headers = {} }: Ask = {}) =>
      registry.hot(method, target, (name) => ({ host: 'replica.test', ...headers })[name]),
  };
}

export interface Ask {
  method?: string;
  headers?: Record<string, string>;
  body?: Uint8Array;
}

export interface Answered {
  status: number;
  headers: Record<string, string>;
  /** As sent. */
  body: Buffer;
  /** Without its coding. */
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: documents have no fixed shape
  json: any;
}

export async function ask(
  registry: Pick<NpmRegistry, 'handle'>,
  target: string,
  { method = 'GET', headers = {}, body }: Ask = {},
): Promise<Answered> {
  const init = { method, headers: { host: 'replica.test', ...headers }, ...(body ? { body: Buffer.from(body) } : {}) };
  const response = await registry.handle(new Request('http://replica.test/', init), target);
  const bytes = Buffer.from(await response.arrayBuffer());
  const text = (
    response.headers.get('content-encoding') === 'gzip' && bytes.length ? gunzipSync(bytes) : bytes
  ).toString();
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: bytes,
    text,
    get json() {
      return JSON.parse(text);
    },
  };
}

/** What an iterable gives, as a list. */
export async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}
