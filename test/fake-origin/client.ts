import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { gunzipSync } from 'node:zlib';

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  /** As it came over the wire. */
  raw: Buffer;
  /** Decompressed text. */
  text: string;
}

/** One request on a connection of its own; the path goes out exactly as given. Rejects when the message is cut. */
export function ask(
  url: string, path: string, options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Reply> {
  const { hostname, port } = new URL(url);
  const { method = 'GET', headers = {}, body } = options;
  return new Promise((resolve, reject) => {
    const req = request({ hostname, port, path, method, headers, agent: false }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', (error) => reject(Object.assign(error, { received: Buffer.concat(chunks), headers: res.headers })));
      res.on('end', () => resolve(reply(res.statusCode ?? 0, res.headers, Buffer.concat(chunks))));
    });
    req.on('error', reject);
    req.end(body);
  });
}

function reply(status: number, headers: IncomingHttpHeaders, raw: Buffer): Reply {
  const zipped = headers['content-encoding'] === 'gzip' && raw.length > 0;
  return { status, headers, raw, text: (zipped ? gunzipSync(raw) : raw).toString() };
}
