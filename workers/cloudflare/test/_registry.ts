/** A server outside of workerd, with answers as they really come over a socket. Runs in Node. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    registry: string;
  }
}

const BODY = '{"name":"x"}'.repeat(10_000);

const answers: Record<string, (response: ServerResponse) => unknown> = {
  '/packed': (response) => response.writeHead(200, { 'content-encoding': 'gzip', etag: '"e"' }).end(gzipSync(BODY)),
  '/packed-nothing': (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('')),
  '/not-modified': (response) => response.writeHead(304, { 'content-encoding': 'gzip' }).end(),
  '/cut': (response) => response.writeHead(200, { 'content-length': 1_000 }).write('{"na', () => response.destroy()),
  '/cut-packed': (response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(BODY).subarray(0, 100)),
  '/reset': (response) => response.destroy(),
};

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const server = createServer(({ url = '' }, response) => (answers[url] ?? answers['/reset'])?.(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  provide('registry', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return () => new Promise((resolve) => server.close(() => resolve()));
}
