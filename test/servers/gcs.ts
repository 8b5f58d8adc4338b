import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startProcess } from './process.ts';
import { pathOf, whyMissing } from './tools.ts';

export interface GCSServer {
  endpoint: string;
  /** The variables by which Google's client finds it. */
  env: Record<string, string>;
  /** Makes an empty bucket and gives its name. */
  bucket(): Promise<string>;
  stop(): Promise<void>;
}

/** Why no GCS server can be started here; `undefined` when one can. */
export const whyNoGCS = (): string | undefined => whyMissing('fake-gcs-server');

/** A server of Google Cloud Storage's protocol (fake-gcs-server, over a directory unless told) on a free port. */
export async function startGCS({
  backend = 'filesystem',
}: {
  backend?: 'filesystem' | 'memory';
} = {}): Promise<GCSServer> {
  const root = await mkdtemp(join(tmpdir(), 'all-docs-gcs-'));
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const args = ['-backend', backend, '-filesystem-root', root, '-scheme', 'http', '-host', '127.0.0.1'];
  const { stop } = await startProcess(
    pathOf('fake-gcs-server'),
    [...args, '-port', String(port), '-public-host', '127.0.0.1', '-external-url', endpoint, '-log-level', 'error'],
    { url: `${endpoint}/_internal/healthcheck` },
  );
  let buckets = 0;
  return {
    endpoint,
    env: { STORAGE_EMULATOR_HOST: endpoint },
    async bucket() {
      buckets += 1;
      const name = `bucket-${buckets}`;
      const response = await fetch(`${endpoint}/storage/v1/b?project=test`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name }),
      });
      if (!response.ok) throw new Error(`no bucket: ${response.status} ${await response.text()}`);
      return name;
    },
    async stop() {
      await stop();
      await rm(root, { recursive: true, force: true });
    },
  };
}
