/** The least that a Fastly app can do to send a document out of a KV Store: what the worker is compared with. `PUT` stores. */
import { KVStore } from 'fastly:kv-store';

addEventListener('fetch', (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const name = new URL(request.url).pathname.slice(1);
  if (name === 'nothing') return new Response('{}', { headers: { 'content-type': 'application/json' } });
  const store = new KVStore('all_docs');
  if (request.method === 'PUT') {
    await store.put(name, await request.arrayBuffer(), { metadata: request.headers.get('x-metadata') });
    return new Response('');
  }
  const entry = await store.get(name);
  if (!entry) return new Response('not found', { status: 404 });
  const { etag, size } = JSON.parse(entry.metadataText());
  const headers = {
    'content-type': 'application/json',
    'content-encoding': 'gzip',
    'content-length': String(size),
    etag,
    vary: 'accept-encoding',
  };
  if (request.headers.get('if-none-match') === etag) return new Response(null, { status: 304, headers });
  return new Response(entry.body, { headers, manualFramingHeaders: true });
}
