import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { gunzipSync } from 'node:zlib';

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  /** As it came over the wire. */
  raw: Buffer;
  /** Decompressed text. */
  text: string;
}

/** One request on a connection of its own; the path goes out exactly as given. Rejects when the message is cut or cannot be inflated. */
export function ask(
  url: string,
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Reply> {
  const { hostname, port } = new URL(url);
  const { method = 'GET', headers = {}, body } = options;
  return new Promise((resolve, reject) => {
    const req = request({ hostname, port, path, method, headers, agent: false }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', (error) =>
        reject(Object.assign(error, { received: Buffer.concat(chunks), headers: res.headers })),
      );
      res.on('end', () => {
        try {
          resolve(reply(res.statusCode ?? 0, res.headers, Buffer.concat(chunks)));
        } catch (error) {
          reject(error as Error);
        }
      });
    });
    req.on('error', reject);
    req.end(body);
  });
}

function reply(status: number, headers: IncomingHttpHeaders, raw: Buffer): Reply {
  const zipped = headers['content-encoding'] === 'gzip' && raw.length > 0;
  return { status, headers, raw, text: (zipped ? gunzipSync(raw) : raw).toString() };
}

/** What came over a bare connection so far, as Latin-1 so that a character is a byte. */
export interface Tap {
  socket: Socket;
  head(): string;
  body(): string;
  /** When the other side ended the connection, or it broke. */
  ended: Promise<void>;
  hasEnded(): boolean;
}

/** Sends one request on a bare connection that asks to be kept, and interprets nothing. */
export function tap(url: string, path: string, method = 'GET'): Tap {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  let [text, over] = ['', false];
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const end = () => {
    over = true;
    resolve();
  };
  socket.setEncoding('latin1').once('end', end).once('close', end);
  socket.on('data', (chunk) => {
    text += chunk;
  });
  // A reset is an end like any other here.
  socket.on('error', () => undefined);
  socket.write(`${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
  const split = () => text.indexOf('\r\n\r\n') + 4;
  return { socket, ended, head: () => text.slice(0, split()), body: () => text.slice(split()), hasEnded: () => over };
}
