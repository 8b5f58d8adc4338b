import { EdgeRegistry } from '@_all_docs/registry/edge';
import { ConfigStoreReader } from './config-reader.js';
import { composeEnv } from './create-env.js';
import type { KvEntry, KvStore } from './host.js';
import { readSettings } from './settings.js';

const REGISTRY = 'https://registry.example.test';
const TARGETS = ['/npm/name', '/npm/@scope%2fname', '/npm/-/ping'];
const CLIENTS = ['npm/1', 'pnpm/1'];

/**
 * Answers some requests out of nothing while the module is built. The engine reads a function's body when it is called for
 * the first time, in each sandbox anew unless it was called before the snapshot that all sandboxes begin with: a hit takes
 * half the time. No host object can be used yet, and nothing of this is kept.
 */
export function warmUp(): void {
  for (const client of CLIENTS) for (const target of TARGETS) void answer(client, target).catch(() => undefined);
}

async function answer(client: string, target: string): Promise<void> {
  const items: Record<string, string> = { registry: REGISTRY, origin: REGISTRY, max_age_seconds: '300' };
  const settings = readSettings(new ConfigStoreReader({ get: (key) => items[key] ?? null }));
  const env = composeEnv({ settings, store: standIn, backendFor: () => 'registry' });
  const registry = new EdgeRegistry({ env, options: { ...settings.options, scheme: 'https' } });
  const headers: Record<string, string> = {
    host: 'edge.example.test',
    'user-agent': client,
    accept: 'application/json',
    'accept-encoding': 'gzip',
  };
  const request = {
    method: 'GET',
    url: REGISTRY,
    headers: { get: (name: string) => headers[name] ?? null },
    body: null,
  };
  await registry.answer(request, target);
}

/** Holds the same entry under every key. */
const standIn: KvStore = {
  get: async () => entry,
  put: async () => undefined,
  delete: async () => undefined,
  list: async () => ({ list: [] }),
};
const entry: KvEntry = {
  body: new ReadableStream(),
  arrayBuffer: async () => new ArrayBuffer(0),
  metadataText: () =>
    JSON.stringify({
      ...{ storedAt: Date.now(), encoding: 'gzip', size: 0, digest: 'sha256-', etag: '1 sha256-' },
      lastModified: new Date(0).toUTCString(),
    }),
};
