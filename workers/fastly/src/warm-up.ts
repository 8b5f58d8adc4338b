import { type AnswerRequest, formMark } from '@_all_docs/registry/edge';
import { ConfigStoreReader } from './config-reader.js';
import { composeEnv } from './create-env.js';
import { answer } from './handler.js';
import type { KvEntry, KvStore } from './host.js';
import { readSettings } from './settings.js';

const REGISTRY = 'https://registry.example.test';
const ITEMS: Record<string, string> = { registry: REGISTRY, origin: REGISTRY, max_age_seconds: '300' };
/** Whether tarball URLs are ours decides whether a source or a form is sent. */
const TARBALL_HOSTS = ['origin', 'self'];
const TARGETS = ['/npm/name', '/npm/@scope%2fname', '/npm/-/ping'];
const HEADERS: Record<string, string> = {
  host: 'edge.example.test',
  'user-agent': 'npm/1',
  accept: 'application/json',
  'accept-encoding': 'gzip',
};

/**
 * Answers some requests out of nothing while the module is built. The engine reads a function's body when it is called for
 * the first time, in each sandbox anew unless it was called before the snapshot that all sandboxes begin with: a hit takes
 * half the time. No host object can be used yet, and nothing of this is kept. The compiler tells of
 * what is not answered as a hit: a rejection that nobody handles.
 */
export function warmUp(): void {
  for (const host of TARBALL_HOSTS) for (const target of TARGETS) void hit(host, target);
}

async function hit(tarballHost: string, target: string): Promise<void> {
  const items: Record<string, string> = { ...ITEMS, tarball_host: tarballHost };
  const settings = readSettings(new ConfigStoreReader({ get: (key) => items[key] ?? null }));
  const env = composeEnv({ settings, store: standIn, backendFor: () => 'registry' });
  const request: AnswerRequest = {
    method: 'GET',
    url: REGISTRY,
    headers: { get: (name: string) => HEADERS[name] ?? null },
    body: null,
  };
  const { status, headers } = await answer(request as unknown as Request, target, env);
  if (status !== 200) throw new Error(`the warm-up's ${target} is a ${status}: ${headers}`);
}

/** Holds the same entry under every key: a source and a form at once. */
const standIn: KvStore = {
  get: async () => entry,
  put: async () => undefined,
  delete: async () => undefined,
  list: async () => ({ list: [] }),
};
const entry: KvEntry = {
  body: new ReadableStream(),
  // What is not a hit would read the body.
  arrayBuffer: () => Promise.reject(new Error('a hit does not read the body')),
  metadataText: () =>
    JSON.stringify({
      ...{ storedAt: Date.now(), encoding: 'gzip', size: 0, digest: 'sha256-', etag: formMark('sha256-') },
      lastModified: new Date(0).toUTCString(),
    }),
};
