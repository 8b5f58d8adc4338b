import { bootstrap, EVERYTHING } from '@_all_docs/worker';
import { createEnv } from '@_all_docs/worker-cloudrun';
import { type RunningService, readSettings, serve } from '@_all_docs/worker-cloudrun/serve';
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { collect } from '../../../test/contract/_bytes.ts';
import { type FakeOrigin, startFakeOrigin } from '../../../test/fake-origin/index.ts';
import { type GCSServer, startGCS, whyNoGCS } from '../../../test/servers/gcs.ts';
import { AUDIENCE, createIssuer, EMAIL } from './_tokens.ts';

const google = createIssuer();
const why = whyNoGCS();

describe.skipIf(why)(`the service on Cloud Run${why ? ` (off: ${why})` : ''}`, () => {
  let gcs: GCSServer;
  let fake: FakeOrigin;
  const services: RunningService[] = [];
  let lines: Record<string, unknown>[] = [];

  beforeAll(async () => {
    gcs = await startGCS();
    for (const [name, value] of Object.entries(gcs.env)) vi.stubEnv(name, value);
    fake = await startFakeOrigin({ packages: 60, seed: 11, sizes: 'small', latencyMs: 20 });
  });
  afterEach(async () => {
    await Promise.all(services.splice(0).map((service) => service.close()));
    lines = [];
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await fake?.close();
    await gcs?.stop();
  });

  const start = async (bucket: string, env: Record<string, string> = {}) => {
    const settings = readSettings({
      PORT: '0',
      ALL_DOCS_BUCKET: bucket,
      ALL_DOCS_REGISTRY: fake.url,
      ALL_DOCS_ORIGIN: fake.url,
      WORK_SERVICE_ACCOUNT: EMAIL,
      WORK_AUDIENCE: AUDIENCE,
      GOOGLE_CLOUD_PROJECT: 'project',
      ...env,
    });
    const write = (line: string) => void lines.push(JSON.parse(line));
    const service = await serve(settings, { write, keys: async () => [google.key], host: '127.0.0.1' });
    services.push(service);
    return service;
  };
  const ask = (service: RunningService, path: string, init?: RequestInit) => fetch(new URL(path, service.url), init);
  const push = (service: RunningService, body: unknown, token = google.token()) =>
    ask(service, '/work', {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { authorization: `Bearer ${token}` },
    });
  const tarballOf = (name: string) => {
    const { versions } = fake.packument(name) as {
      versions: Record<string, { dist: { tarball: string; integrity: string } }>;
    };
    const { dist } = Object.values(versions)[0] as { dist: { tarball: string; integrity: string } };
    return { path: `/npm${new URL(dist.tarball).pathname}`, integrity: dist.integrity };
  };
  const digest = async (response: Response) =>
    `sha512-${createHash('sha512')
      .update(Buffer.from(await response.arrayBuffer()))
      .digest('base64')}`;

  it('serves documents and tarballs; another instance has them without the registry', async () => {
    const bucket = await gcs.bucket();
    const first = await start(bucket);
    const name = [...fake.names()][0] as string;
    const { path, integrity } = tarballOf(name);
    const document = await ask(first, `/npm/${encodeURIComponent(name)}`);
    expect(await document.json()).toMatchObject({ name, 'dist-tags': fake.packument(name)?.['dist-tags'] });
    expect(await digest(await ask(first, path))).toBe(integrity);
    await services.pop()?.close();
    fake.resetStats();
    const second = await start(bucket);
    expect((await ask(second, `/npm/${encodeURIComponent(name)}`)).status).toBe(200);
    expect(await digest(await ask(second, path))).toBe(integrity);
    expect(fake.stats().requests).toBe(0);
  });

  it('asks the registry once for what 40 clients of four instances want at the same time', async () => {
    const bucket = await gcs.bucket();
    const instances = await Promise.all([0, 1, 2, 3].map(() => start(bucket)));
    const name = [...fake.names()][1] as string;
    const { path, integrity } = tarballOf(name);
    fake.resetStats();
    const all = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => digest(await ask(instances[i % 4] as RunningService, path))),
    );
    expect(new Set(all)).toEqual(new Set([integrity]));
    const { packument, tarball } = fake.stats().byKind;
    expect({ packument, tarball }).toEqual({ packument: 1, tarball: 1 });
  });

  it('does pushed work, as Cloud Tasks and as Pub/Sub send it', async () => {
    const bucket = await gcs.bucket();
    const service = await start(bucket);
    const name = [...fake.names()][2] as string;
    const item = { type: 'packument', id: 'packument-1', payload: { name }, priority: 1, attempts: 0 };
    expect(await (await push(service, item)).json()).toMatchObject({ success: true });
    const data = Buffer.from(JSON.stringify({ type: 'partition', payload: { startKey: 'a', endKey: 'b' } })).toString(
      'base64',
    );
    const pushed = await push(service, {
      message: { data, messageId: '7' },
      subscription: 'projects/p/subscriptions/s',
    });
    expect(await pushed.json()).toMatchObject({ success: true });
    expect(await (await push(service, { type: 'expire', id: 'daily' })).json()).toMatchObject({
      success: true,
      rows: 0,
    });
    fake.resetStats();
    expect((await ask(service, `/npm/${encodeURIComponent(name)}`)).status).toBe(200);
    expect(fake.stats().requests).toBe(0);
  });

  it('takes no work from those who may not push, and none that is none', async () => {
    const service = await start(await gcs.bucket());
    const item = { type: 'packument', id: '1', payload: { name: 'a' } };
    expect((await ask(service, '/work', { method: 'POST', body: JSON.stringify(item) })).status).toBe(401);
    expect((await push(service, item, google.token({ email: 'x@y.example.test' }))).status).toBe(403);
    for (const body of [null, 1, {}, { type: 'packument' }, { type: 'dance', id: '1' }, { message: { data: '!' } }]) {
      expect((await push(service, body)).status, JSON.stringify(body)).toBe(400);
    }
    const closed = await start(await gcs.bucket(), { WORK_AUDIENCE: '' });
    expect((await push(closed, item)).status).toBe(403);
    expect((await ask(service, '/work')).status).not.toBe(200);
  });

  it('says in its log what happened, in the trace of the request', async () => {
    const service = await start(await gcs.bucket());
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
    await ask(service, '/npm/-/ping?secret=1', { headers: { traceparent: `00-${trace}-00f067aa0ba902b7-01` } });
    await vi.waitFor(() => expect(lines).toHaveLength(1));
    expect(lines[0]).toMatchObject({
      severity: 'INFO',
      'logging.googleapis.com/trace': `projects/project/traces/${trace}`,
      httpRequest: { requestMethod: 'GET', requestUrl: '/npm/-/ping', status: 200 },
    });
  });

  it('shares a bootstrap among instances: what one lists or fetches, the others do not', async () => {
    const bucket = await gcs.bucket();
    const open = () => createEnv({ bucket, registry: fake.url, origin: fake.url, rate: Number.POSITIVE_INFINITY });
    const envs = await Promise.all([open(), open(), open()]);
    fake.resetStats();
    const results = await Promise.all(envs.map((env) => bootstrap({ selection: EVERYTHING }, env)));
    expect(results.map(({ status }) => status)).toEqual(['done', 'done', 'done']);
    const keys = await collect((envs[0] as (typeof envs)[0]).storage.list('v1:packument:'));
    expect(keys).toHaveLength(60);
    expect(fake.stats().byKind.packument).toBeLessThanOrEqual(70);
    await Promise.all(envs.map((env) => env.close()));
  });

  it('says what to create when there is no bucket, or none by that name', async () => {
    expect(() => readSettings({})).toThrow(/ALL_DOCS_BUCKET/);
    expect(() => readSettings({ ALL_DOCS_BUCKET: 'x', PORT: 'http' })).toThrow(/PORT/);
    const service = await start('no-such-bucket');
    await expect(service.ready).rejects.toMatchObject({ code: 'ERR_NO_STORAGE', message: /no bucket no-such-bucket/ });
  });
});
