import { MemoryOrderedStore } from '@_all_docs/cache';
import { type Hashers, MemoryBlobBackend, Store } from '@_all_docs/content';
import type { StreamingResponse, StreamingTransport, TransportRequest } from '@_all_docs/http';
import { type Dist, type Tarball, Tarballs, type TarballsEnv, type TarballsOptions } from '@_all_docs/registry';
import { createHash } from 'node:crypto';
import { collect } from '../../../test/contract/_bytes.ts';

const REGISTRY = 'https://registry.example.test/npm/';
export const FILE = 'a-1.0.0.tgz';
export const URL_OF_A = 'https://registry.example.test/npm/a/-/a-1.0.0.tgz';

/** `node:crypto`; SHA-256 stands in for BLAKE3, whose bytes are as many. */
export const hashers: Hashers = {
  address: 'blake3',
  create(algorithm) {
    const hash = createHash(algorithm === 'blake3' ? 'sha256' : algorithm);
    return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
  },
};

export function sri(bytes: Uint8Array | string, algorithm = 'sha512'): string {
  return `${algorithm}-${createHash(algorithm).update(bytes).digest('base64')}`;
}

export function distFor(bytes: Uint8Array | string, more: Partial<Dist> = {}): Dist {
  return { version: '1.0.0', tarball: URL_OF_A, integrity: sri(bytes), ...more };
}

/** A body that gives what it is told to, when it is told to. */
export class ScriptedBody implements AsyncIterable<Uint8Array> {
  isClosed = false;
  #queue: (IteratorResult<Uint8Array> | Error)[] = [];
  #wake: (() => void) | undefined;

  push(...pieces: (Uint8Array | string)[]): this {
    for (const piece of pieces)
      this.#add({ done: false, value: typeof piece === 'string' ? Buffer.from(piece) : piece });
    return this;
  }
  end(): this {
    return this.#add({ done: true, value: undefined });
  }
  break(error: Error): this {
    return this.#add(error);
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: async () => {
        while (this.#queue.length === 0) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
        const next = this.#queue[0] as IteratorResult<Uint8Array> | Error;
        if (next instanceof Error) throw next;
        if (!next.done) this.#queue.shift();
        return next;
      },
      return: async () => {
        this.isClosed = true;
        return { done: true, value: undefined };
      },
    };
  }

  #add(item: IteratorResult<Uint8Array> | Error): this {
    this.#queue.push(item);
    this.#wake?.();
    return this;
  }
}

export function answer(
  body: AsyncIterable<Uint8Array> | Uint8Array | string,
  headers: Record<string, string> = {},
  status = 200,
): StreamingResponse {
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) return { status, headers, body };
  const bytes = Buffer.from(body);
  return {
    status,
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(bytes.length), ...headers },
    body: new ScriptedBody().push(bytes).end(),
  };
}

type Reply =
  | StreamingResponse
  | Error
  | ((request: TransportRequest) => StreamingResponse | Promise<StreamingResponse>);

/** An origin that gives each reply once, in their order, and the last one from then on. */
export function originOf(...replies: Reply[]): StreamingTransport & { requests: TransportRequest[] } {
  const requests: TransportRequest[] = [];
  const transport: StreamingTransport = async (request) => {
    requests.push(request);
    const reply = replies[Math.min(requests.length, replies.length) - 1];
    if (reply instanceof Error || reply === undefined) throw reply ?? new Error('not expected to be asked');
    return typeof reply === 'function' ? reply(request) : reply;
  };
  return Object.assign(transport, { requests });
}

export interface Scene extends Partial<Omit<TarballsOptions, 'env' | 'distOf'>> {
  streaming: StreamingTransport;
  dist?: Dist | undefined | (() => Dist | undefined);
  env?: Partial<TarballsEnv>;
}

/** Tarballs over memory, of which one is known: `a/-/a-1.0.0.tgz`. */
export function sceneOf({ streaming, dist, env: more, ...options }: Scene) {
  const backend = new MemoryBlobBackend();
  const logged: string[] = [];
  const log = (message: string) => void logged.push(message);
  const env: TarballsEnv = {
    registry: REGISTRY,
    streaming,
    blobs: new Store({ backend, hashers }),
    ordered: new MemoryOrderedStore(),
    clock: { now: () => 1_700_000_000_000, sleep: async () => undefined },
    logger: { warn: log, error: log },
    ...more,
  };
  const distOf = async (name: string, file: string) => {
    if (name !== 'a' || file !== FILE) return undefined;
    return typeof dist === 'function' ? dist() : dist;
  };
  const tarballs = new Tarballs({ env, distOf, ...options });
  const blobs = async () => (await collect(env.blobs.list())).length;
  return { tarballs, env, backend, logged, blobs, open: () => tarballs.open('a', FILE) };
}

/** All bytes of a stream. */
export async function bytesOf(stream: ReadableStream<Uint8Array> | undefined): Promise<Buffer> {
  if (!stream) throw new Error('no tarball');
  return Buffer.concat(await collect(stream));
}

/** What a client got by the time at which its transfer ended, and the error that ended it. */
export async function transfer(
  tarball: Tarball | undefined,
): Promise<{ bytes: Buffer; error: { code?: string } | undefined }> {
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of tarball?.stream() ?? []) pieces.push(piece);
    return { bytes: Buffer.concat(pieces), error: undefined };
  } catch (error) {
    return { bytes: Buffer.concat(pieces), error: error as { code?: string } };
  }
}

/** Lets everything go on that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}
