/**
 * The Cloudflare worker in the local engine, with Cloudflare's own APIs in front of its bindings: the REST routes of Workers KV
 * (`keys`, `bulk`, `bulk/delete`) and S3's of R2 (`PUT`, `HEAD`), as they are documented.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { buildWorker } from '../../workers/cloudflare/build.ts';

export interface CloudflareServer {
  /** Of the worker. */
  readonly url: string;
  /** Of the REST API. */
  readonly api: string;
  /** Of S3. */
  readonly s3: string;
  /** What was asked of the APIs, as method and path. */
  readonly asked: string[];
  /** Answers so many of the next requests with 429. */
  throttle(requests: number): void;
  /** Hears of each request before it is done. */
  onRequest: (line: string) => void;
  stop(): Promise<void>;
}

export const ACCOUNT = 'account-1';
export const NAMESPACE = 'namespace-1';
export const BUCKET = 'all-docs-blobs';
export const TOKEN = 'a-token-of-cloudflare';

const WORKER = resolve('workers/cloudflare');
const { Miniflare, convertV4MiniflareOptions } = createRequire(
  createRequire(join(WORKER, 'package.json')).resolve('wrangler/package.json'),
)('miniflare');

interface Pair {
  key: string;
  value: string;
  base64?: boolean;
  metadata?: unknown;
  expiration?: number;
}

export async function startCloudflare(vars: Record<string, string>): Promise<CloudflareServer> {
  const folder = mkdtempSync(join(tmpdir(), 'all-docs-cloudflare-'));
  await buildWorker({ outdir: folder });
  const names = readdirSync(folder).sort((a, b) => Number(b === 'worker.js') - Number(a === 'worker.js'));
  const engine = new Miniflare(
    convertV4MiniflareOptions({
      compatibilityDate: '2026-11-01',
      cf: false,
      modulesRoot: folder,
      modules: names.map((name) => ({
        type: 'ESModule',
        path: join(folder, name),
        contents: readFileSync(join(folder, name), 'utf8'),
      })),
      kvNamespaces: ['PACKUMENTS'],
      r2Buckets: ['BLOBS'],
      durableObjects: {
        WORK_QUEUE: { className: 'WorkQueueObject', useSQLite: true },
        REPLICA: { className: 'ReplicaObject', useSQLite: true },
      },
      bindings: vars,
    }),
  );
  const url = String(await engine.ready).replace(/\/$/, '');
  const kv = await engine.getKVNamespace('PACKUMENTS');
  const r2 = await engine.getR2Bucket('BLOBS');
  const asked: string[] = [];
  let throttled = 0;

  const rest = async (request: IncomingMessage, path: string, query: URLSearchParams, response: ServerResponse) => {
    const say = (status: number, body: object, headers = {}) =>
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
    const fail = (status: number, message: string, headers = {}) =>
      say(status, { success: false, errors: [{ code: 10_000, message }], result: null }, headers);
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return fail(403, 'Authentication error');
    if (throttled > 0) {
      throttled -= 1;
      return fail(429, 'Rate limited', { 'retry-after': '1' });
    }
    const body = await buffer(request);
    switch (`${request.method} ${path}`) {
      case 'GET keys': {
        const { keys, list_complete, cursor } = await kv.list({
          prefix: query.get('prefix') ?? undefined,
          limit: Number(query.get('limit') ?? 1_000),
          cursor: query.get('cursor') ?? undefined,
        });
        return say(200, {
          success: true,
          errors: [],
          result: keys,
          result_info: { count: keys.length, cursor: list_complete ? '' : cursor },
        });
      }
      case 'PUT bulk': {
        const pairs = JSON.parse(body.toString()) as Pair[];
        if (pairs.length > 10_000 || body.length > 100_000_000) return fail(413, 'too many pairs');
        for (const { key, value, base64, metadata, expiration } of pairs)
          await kv.put(key, base64 ? Buffer.from(value, 'base64') : value, { metadata, expiration });
        return say(200, {
          success: true,
          errors: [],
          result: { successful_key_count: pairs.length, unsuccessful_keys: [] },
        });
      }
      case 'POST bulk/delete':
        for (const key of JSON.parse(body.toString()) as string[]) await kv.delete(key);
        return say(200, { success: true, errors: [], result: null });
      default:
        return fail(404, 'no such route');
    }
  };

  const s3 = async (request: IncomingMessage, key: string, response: ServerResponse) => {
    if (request.method === 'PUT') {
      const meta = Object.entries(request.headers).filter(([name]) => name.startsWith('x-amz-meta-'));
      const customMetadata = Object.fromEntries(
        meta.map(([name, value]) => [name.slice('x-amz-meta-'.length), String(value)]),
      );
      const { etag } = await r2.put(key, await buffer(request), { customMetadata });
      return response.writeHead(200, { etag: `"${etag}"` }).end();
    }
    const object = request.method === 'HEAD' ? await r2.head(key) : null;
    if (!object) return response.writeHead(404).end();
    const meta = Object.entries(object.customMetadata ?? {}).map(([name, value]) => [`x-amz-meta-${name}`, value]);
    return response
      .writeHead(200, {
        'content-length': object.size,
        etag: `"${object.etag}"`,
        'last-modified': object.uploaded.toUTCString(),
        ...Object.fromEntries(meta),
      })
      .end();
  };

  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://x');
    asked.push(`${request.method} ${pathname}`);
    it.onRequest(asked.at(-1) as string);
    const path = `/client/v4/accounts/${ACCOUNT}/storage/kv/namespaces/${NAMESPACE}/`;
    const done = pathname.startsWith(path)
      ? rest(request, pathname.slice(path.length), searchParams, response)
      : s3(request, decodeURIComponent(pathname.slice(`/${BUCKET}/`.length)), response);
    done.catch((error) => response.writeHead(500).end(String(error)));
  });
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const it: CloudflareServer = {
    url,
    api: `${base}/client/v4`,
    s3: base,
    asked,
    throttle: (requests) => {
      throttled = requests;
    },
    onRequest: () => {},
    async stop() {
      server.closeAllConnections();
      await new Promise((settle) => server.close(settle));
      await engine.dispose();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return it;
}
