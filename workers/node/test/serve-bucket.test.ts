import { type RunningServer, serve } from '@_all_docs/worker-node/serve';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type FakeOrigin, startFakeOrigin } from '../../../test/fake-origin/index.ts';
import { type GCSServer, startGCS, whyNoGCS } from '../../../test/servers/gcs.ts';
import { type S3Server, startS3, whyNoS3 } from '../../../test/servers/s3.ts';
import { temporaryDirectory } from './_directory.ts';

const SERVERS = 8;
const CLIENTS = 100;

const services = [
  { scheme: 's3', why: whyNoS3(), start: startS3 },
  { scheme: 'gs', why: whyNoGCS(), start: startGCS },
];

for (const { scheme, why, start } of services) {
  describe.skipIf(why)(`servers on one bucket of ${scheme}://${why ? ` (off: ${why})` : ''}`, () => {
    let store: S3Server | GCSServer;
    let fake: FakeOrigin;
    const servers: RunningServer[] = [];

    beforeAll(async () => {
      store = await start();
      for (const [name, value] of Object.entries(store.env)) vi.stubEnv(name, value);
      fake = await startFakeOrigin({ packages: 50, seed: 3, sizes: 'small', tarballBytes: 700_000, latencyMs: 50 });
    });
    afterEach(async () => {
      await Promise.all(servers.splice(0).map((server) => server.close()));
    });
    afterAll(async () => {
      vi.unstubAllEnvs();
      await fake?.close();
      await store?.stop();
    });

    const on = async (storage: string, more: object = {}) => {
      const cache = join(await temporaryDirectory(), 'cache');
      const options = { cache, storage, listen: '127.0.0.1:0', registry: fake.url, origin: fake.url, ...more };
      const server = await serve(options);
      servers.push(server);
      return server;
    };
    const tarballOf = (name: string) => {
      const { versions } = fake.packument(name) as {
        versions: Record<string, { dist: { tarball: string; integrity: string } }>;
      };
      const { dist } = Object.values(versions)[0] as { dist: { tarball: string; integrity: string } };
      return { path: `/npm${new URL(dist.tarball).pathname}`, integrity: dist.integrity };
    };
    const fetched = async (server: RunningServer, path: string) => {
      const response = await fetch(new URL(path, server.url));
      if (!response.ok) return `${response.status} ${await response.text()}`;
      return `sha512-${createHash('sha512')
        .update(Buffer.from(await response.arrayBuffer()))
        .digest('base64')}`;
    };

    it(`fetch a tarball once, though ${CLIENTS} clients ask ${SERVERS} cold servers for it at the same time`, async () => {
      const storage = `${scheme}://${await store.bucket()}/all-docs`;
      const started = await Promise.all(Array.from({ length: SERVERS }, () => on(storage)));
      const { path, integrity } = tarballOf([...fake.names()][0] as string);
      fake.resetStats();
      const all = await Promise.all(
        Array.from({ length: CLIENTS }, (_, i) => fetched(started[i % SERVERS] as RunningServer, path)),
      );
      expect(new Set(all)).toEqual(new Set([integrity]));
      expect(fake.stats().byKind.tarball).toBe(1);
    });

    it('have what another one has fetched, without the registry', async () => {
      const storage = `${scheme}://${await store.bucket()}/all-docs`;
      const { path, integrity } = tarballOf([...fake.names()][1] as string);
      expect(await fetched(await on(storage), path)).toBe(integrity);
      fake.resetStats();
      const second = await on(storage);
      expect(await fetched(second, path)).toBe(integrity);
      expect(await fetched(second, path)).toBe(integrity);
      expect(fake.stats().byKind.tarball ?? 0).toBe(0);
    });

    it('say what to create when there is no such bucket', async () => {
      const error = on(`${scheme}://no-such-bucket/x`);
      await expect(error).rejects.toMatchObject({
        code: 'ERR_NO_STORAGE',
        message: /no bucket no-such-bucket.*create it/,
      });
    });

    it('leave a bucket alone that something else keeps its objects in, and say which prefix would do', async () => {
      const bucket = await store.bucket();
      await on(`${scheme}://${bucket}/theirs`);
      const error = on(`${scheme}://${bucket}`);
      await expect(error).rejects.toMatchObject({ code: 'ERR_CACHE_FOREIGN', message: /name a prefix of its own/ });
    });
  });
}

const noS3 = whyNoS3();
describe.skipIf(noS3)(`credentials for S3${noS3 ? ` (off: ${noS3})` : ''}`, () => {
  let store: S3Server;
  beforeAll(async () => {
    store = await startS3();
  });
  afterEach(() => vi.unstubAllEnvs());
  afterAll(() => store?.stop());

  const refused = async (env: Record<string, string>) => {
    for (const [name, value] of Object.entries({ ...store.env, ...env })) vi.stubEnv(name, value);
    const storage = `s3://${await store.bucket()}/x`;
    const cache = join(await temporaryDirectory(), 'cache');
    return serve({ cache, storage, listen: '127.0.0.1:0', registry: 'https://registry.example.test' }).then(
      async (server) => {
        await server.close();
        return { code: 'none', message: '' };
      },
      (error: { code: string; message: string }) => error,
    );
  };

  it('that are wrong are refused by the store, with an error that names the key and never the secret', async () => {
    const error = await refused({ AWS_SECRET_ACCESS_KEY: 'not-the-secret' });
    expect(error).toMatchObject({ code: 'ERR_CACHE_UNWRITABLE', message: /denied.*test-access-key/ });
    expect(JSON.stringify(error) + error.message).not.toContain('not-the-secret');
  });

  it('that are missing are asked for by name', async () => {
    const error = await refused({
      AWS_ACCESS_KEY_ID: '',
      HOME: await temporaryDirectory(),
      AWS_SHARED_CREDENTIALS_FILE: '/nowhere/credentials',
      AWS_CONFIG_FILE: '/nowhere/config',
    });
    expect(error).toMatchObject({ code: 'ERR_CACHE_UNWRITABLE', message: /AWS_ACCESS_KEY_ID/ });
  });
});
