/**
 * @module Runs the service once while its image is built, against a bucket and a registry that hold nothing: what Node
 * compiles for that stays in `NODE_COMPILE_CACHE`, and no instance compiles it again. Exits 1 when the service does not start.
 */
import { createServer } from 'node:http';
import { serve } from './serve.js';
import { readSettings } from './settings.js';

/** Says that the bucket is ours, and has nothing else. */
const empty = createServer((request, response) => {
  const path = request.url ?? '';
  request.resume();
  if (path.endsWith('/_all_docs')) response.end('{"format":1,"of":"_all_docs"}');
  else if (path.startsWith('/storage/')) response.setHeader('content-type', 'application/json').end('{}');
  else response.writeHead(404).end('{}');
});
await new Promise<void>((resolve) => empty.listen(0, '127.0.0.1', resolve));
const { port } = empty.address() as { port: number };
const nobody = `http://127.0.0.1:${port}`;
process.env['STORAGE_EMULATOR_HOST'] = nobody;
const settings = readSettings({
  ALL_DOCS_BUCKET: 'none',
  ALL_DOCS_REGISTRY: nobody,
  ALL_DOCS_ORIGIN: nobody,
  PORT: '0',
});
const service = await serve(settings, { write: () => {}, host: '127.0.0.1' });
await service.ready;
for (const path of ['/readyz', '/npm/a', '/npm/-/ping']) await (await fetch(new URL(path, service.url))).arrayBuffer();
process.exit();
