import type { Answer, AnswerRequest } from '@_all_docs/registry';
import {
  type CreateServerOptions,
  createServer,
  type RegistryServer,
  type ServedRegistry,
} from '@_all_docs/worker-node/serve';
import { connect, type Socket } from 'node:net';
import { afterEach } from 'vitest';

/** A registry whose answers are written as a `Response`. */
export interface Parts {
  hot?: ServedRegistry['hot'];
  handle?: (request: AnswerRequest, target: string) => Promise<Response>;
  stats?: ServedRegistry['stats'];
}

/** A registry that has nothing; tests say what it has. */
export function registry({
  handle = async () => Response.json({ error: 'Not found' }, { status: 404 }),
  ...parts
}: Parts = {}): ServedRegistry {
  return {
    hot: () => undefined,
    answer: async (request, target): Promise<Answer> => {
      const { status, headers, body } = await handle(request, target);
      return { status, headers: [...headers].flat(), body: body ?? undefined };
    },
    stats: () => ({}),
    ...parts,
  };
}

const servers = new Set<RegistryServer>();
const sockets = new Set<Socket>();

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await Promise.all(Array.from(servers, (server) => server.drain(0)));
  servers.clear();
});

export interface Started {
  server: RegistryServer;
  url: string;
  port: number;
}

/** A server on a free port of 127.0.0.1, stopped when the test is over. */
export async function start(parts: Parts = {}, options: Omit<CreateServerOptions, 'registry'> = {}): Promise<Started> {
  return startWith({ registry: registry(parts), ...options });
}

export async function startWith(options: CreateServerOptions): Promise<Started> {
  const server = createServer(options);
  servers.add(server);
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  return { server, url, port: Number(new URL(url).port) };
}

/** A connection on which bytes are sent as they are. */
export class Wire {
  readonly socket: Socket;
  /** All that came so far. */
  text = '';
  /** Resolves when the other side has ended or broken off. */
  readonly closed: Promise<'end' | 'reset'>;
  #waiting: (() => void)[] = [];

  constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port });
    sockets.add(this.socket);
    let ending: 'end' | 'reset' = 'end';
    this.socket.setEncoding('latin1').on('data', (chunk: string) => {
      this.text += chunk;
      for (const wake of this.#waiting.splice(0)) wake();
    });
    this.socket.on('error', () => {
      ending = 'reset';
    });
    this.closed = new Promise((resolve) =>
      this.socket.once('close', () => {
        resolve(ending);
        for (const wake of this.#waiting.splice(0)) wake();
      }),
    );
  }

  send(text: string): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  /** Waits until what came matches; fails when the connection ends before. */
  async until(pattern: RegExp): Promise<string> {
    await this.#until(() => pattern.test(this.text), String(pattern));
    return this.text;
  }

  /** Waits until a word came so many times. */
  untilTimes(word: string, times: number): Promise<void> {
    return this.#until(() => this.text.split(word).length > times, `${times} of ${word}`);
  }

  async #until(came: () => boolean, what: string): Promise<void> {
    while (!came()) {
      if (this.socket.destroyed) throw new Error(`closed before ${what}: ${JSON.stringify(this.text)}`);
      await new Promise<void>((wake) => this.#waiting.push(wake));
    }
  }

  /** Everything, when the connection is over. */
  async all(): Promise<string> {
    await this.closed;
    return this.text;
  }
}

/** What is sent for a GET, with keep-alive. */
export function get(path: string, ...headers: string[]): string {
  return ['GET ' + path + ' HTTP/1.1', 'host: registry.example.test', ...headers, '', ''].join('\r\n');
}

/** Status and JSON body of an answer as it came over the wire. */
export function parse(text: string): { status: number; head: string; body: unknown } {
  const split = text.indexOf('\r\n\r\n');
  const head = text.slice(0, split);
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), head, body: JSON.parse(text.slice(split + 4)) };
}

/** A promise to be settled by the test. */
export function gate<T = void>(): { opened: Promise<T>; open: (value: T) => void; fail: (error: Error) => void } {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  return { opened: promise, open: resolve, fail: reject };
}

export async function bodyOf({ body }: AnswerRequest): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body ?? []) pieces.push(piece);
  return Buffer.concat(pieces);
}
