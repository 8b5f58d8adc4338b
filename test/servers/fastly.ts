/** The Fastly worker on Viceroy: built as its package builds it, configured as a test wants it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile, WORKER } from './fastly-compiler.ts';
import { type RunningViceroy, startViceroy } from './viceroy.ts';

export interface LocalServer {
  /** URLs by the names of backends. */
  backends?: Record<string, string>;
  /** Names of empty KV Stores; `all_docs` unless told. */
  kvStores?: readonly string[];
  /** What lies in the KV Store `all_docs`. */
  entries?: readonly { key: string; data: string; metadata: string }[];
  /** Items of the Config Store `all_docs`; none, and no such store, for `undefined`. */
  config?: Record<string, string> | undefined;
  /** Items of the Secret Store `all_docs`; none, and no such store, for `undefined`. */
  secrets?: Record<string, string> | undefined;
}

/** The file that tells the local engine what the service has. */
function localServerToml(server: LocalServer): string {
  const { backends = {}, kvStores = ['all_docs'], entries = [], config, secrets } = server;
  const text = (value: string) => JSON.stringify(value);
  const lines = ['manifest_version = 3', 'name = "test"', 'language = "javascript"'];
  for (const [name, url] of Object.entries(backends)) {
    lines.push(`[local_server.backends.${text(name)}]`, `url = ${text(url)}`);
  }
  lines.push('[local_server.kv_stores]');
  for (const name of kvStores) {
    const items = (name === 'all_docs' ? entries : []).map((entry) => {
      const fields = Object.entries(entry).map(([field, value]) => `${field} = ${text(value)}`);
      return `{ ${fields.join(', ')} }`;
    });
    lines.push(`${text(name)} = [${items.join(', ')}]`);
  }
  if (config) {
    lines.push('[local_server.config_stores.all_docs]', 'format = "inline-toml"');
    lines.push('[local_server.config_stores.all_docs.contents]');
    for (const [key, value] of Object.entries(config)) lines.push(`${text(key)} = ${text(value)}`);
  }
  if (secrets) {
    const items = Object.entries(secrets).map(([key, data]) => `{ key = ${text(key)}, data = ${text(data)} }`);
    lines.push('[local_server.secret_stores]', `all_docs = [${items.join(', ')}]`);
  }
  return `${lines.join('\n')}\n`;
}

/** Compiles a source and starts it. Its files go when it is stopped. */
export async function startGuest(source: string, server: LocalServer): Promise<RunningViceroy> {
  const folder = mkdtempSync(join(tmpdir(), 'all-docs-fastly-'));
  try {
    const [wasm, toml] = [join(folder, 'main.wasm'), join(folder, 'fastly.toml')];
    compile(source, wasm);
    writeFileSync(toml, localServerToml(server));
    const running = await startViceroy(wasm, toml);
    const stop = async () => {
      await running.stop();
      rmSync(folder, { recursive: true });
    };
    return { ...running, stop };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Starts the worker itself in front of a registry; npm's routes are below `/npm`. */
export function startWorker(registry: string, more: Partial<LocalServer> = {}): Promise<RunningViceroy> {
  return startGuest(join(WORKER, 'src/worker.ts'), {
    backends: { registry: new URL(registry).origin },
    config: { registry },
    secrets: { work_token: 'secret' },
    ...more,
  });
}
