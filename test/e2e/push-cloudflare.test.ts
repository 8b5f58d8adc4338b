import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../fake-origin/client.ts';
import type { FakeOrigin } from '../fake-origin/index.ts';
import { ACCOUNT, BUCKET, type CloudflareServer, NAMESPACE, startCloudflare, TOKEN } from '../servers/cloudflare.ts';
import { type CliOptions, runCli, startCli, tempDir, tempFile } from './cli.ts';
import { at, startFake } from './replica.ts';

const SECRET = 'a-secret-of-work';

describe('push --to cloudflare', () => {
  let fake: FakeOrigin;
  let edge: CloudflareServer;
  let cache: string;
  let config: string;
  const env = (): NonNullable<CliOptions['env']> => ({
    CLOUDFLARE_API_TOKEN: TOKEN,
    CLOUDFLARE_API_BASE_URL: edge.api,
    WORK_SECRET: SECRET,
    AWS_ACCESS_KEY_ID: 'key',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_ENDPOINT_URL_S3: edge.s3,
  });
  const flags = (...more: string[]) => [
    ...['push', '--to', 'cloudflare', '--config', config, '--worker', edge.url, '--json'],
    ...['--origin', fake.url, '--registry', fake.url, '--cache', cache, ...more],
  ];
  const push = (...more: string[]) => runCli(flags(...more), { env: env() });
  const last = (events: { type: string }[]) => events.at(-1);
  const writes = () => edge.asked.filter((line) => !line.startsWith('GET') && !line.startsWith('HEAD'));

  beforeAll(async () => {
    fake = await startFake({ packages: 300, seed: 31 });
    cache = tempDir();
    const made = await runCli(['bootstrap', ...at(fake, cache)]);
    expect(made.code).toBe(0);
    edge = await startCloudflare({
      REGISTRY: fake.url,
      ORIGIN: fake.url,
      WORK_SECRET: SECRET,
      TARBALL_HOST: 'origin',
      FOLLOW: 'off',
      MAX_AGE_SECONDS: '86400',
    });
    config = tempFile(
      'wrangler.jsonc',
      `{ // of the account
        "account_id": "${ACCOUNT}", /* its bindings, */
        "kv_namespaces": [{ "binding": "PACKUMENTS", "id": "${NAMESPACE}" }],
        "r2_buckets": [{ "binding": "BLOBS", "bucket_name": "${BUCKET}" },],
      }`,
    );
  }, 120_000);
  afterAll(async () => {
    await edge?.stop();
  });

  it('says with --plan what would be sent and what it costs, and sends nothing', async () => {
    const { code, events } = await push('--plan');
    expect([code, last(events)]).toMatchObject([
      0,
      { type: 'plan', documents: { sent: 300 }, dollars: expect.any(Number) },
    ]);
    expect(writes()).toEqual([]);
  });

  it.each([
    ['no token', { CLOUDFLARE_API_TOKEN: '' }, 2, 'CLOUDFLARE_API_TOKEN'],
    ['a token that is refused', { CLOUDFLARE_API_TOKEN: 'other' }, 1, 'CLOUDFLARE_API_TOKEN'],
    ['no secret for the worker', { WORK_SECRET: '' }, 2, 'WORK_SECRET'],
  ])('with %s says so, without the token', async (_, more, code, word) => {
    const run = await runCli(flags(), { env: { ...env(), ...more } });
    expect(run.code).toBe(code);
    expect(run.stderr).toContain(word);
    expect(run.stderr + run.stdout).not.toContain(TOKEN);
  });

  it('refuses to push an empty replica, which would delete what is there', async () => {
    const run = await runCli([...flags(), '--cache', tempDir()], { env: env() });
    expect([run.code, run.stderr]).toEqual([1, expect.stringContaining('ERR_NOT_HELD')]);
    expect(writes()).toEqual([]);
  });

  it('killed in the middle it goes on, waits when it is told to, and then the worker shows everything', async () => {
    const killed = startCli(flags(), { env: env() });
    edge.onRequest = (line) => {
      if (line.startsWith('PUT')) killed.kill('SIGKILL');
    };
    await killed.done;
    edge.onRequest = () => {};
    edge.throttle(2);
    const { code, events } = await push();
    expect([code, last(events)]).toMatchObject([0, { type: 'done', listing: 'sent' }]);
    fake.resetStats();
    for (const name of fake.names()) {
      const { status, text } = await ask(edge.url, `/npm/${encodeURIComponent(name)}`, {});
      expect([name, status, JSON.parse(text)._rev]).toEqual([name, 200, fake.packument(name)?.['_rev']]);
    }
    const { text } = await ask(edge.url, '/_all_docs', {});
    expect(
      JSON.parse(text)
        .rows.map(({ id }: { id: string }) => id)
        .sort(),
    ).toEqual([...fake.names()].sort());
    expect(fake.stats().requests).toBe(0);
  });

  it('a second time it sends nothing', async () => {
    edge.asked.length = 0;
    const { code, events } = await push();
    expect([code, last(events)]).toMatchObject([
      0,
      { documents: { looked: 300, sent: 0, deleted: 0 }, partitions: { sent: 0 }, listing: 'same', changes: 0 },
    ]);
    expect(writes()).toEqual([]);
  });

  it('sends what changed, deletes what is gone, and shows the feed since', async () => {
    const [changed, gone] = [...fake.names()].filter((name) => /^[a-z]+$/.test(name)) as [string, string];
    fake.publish(changed);
    fake.remove(gone, 'deleted');
    const followed = await runCli(['follow', '--once', '--window', '0s', ...at(fake, cache)]);
    expect(followed.code).toBe(0);
    const { code, events } = await push();
    expect([code, last(events)]).toMatchObject([0, { documents: { sent: 1, deleted: 1 }, changes: 2, waiting: 0 }]);
    const rows = JSON.parse((await ask(edge.url, '/_all_docs', {})).text).rows.map(({ id }: { id: string }) => id);
    expect(rows).not.toContain(gone);
    const { text } = await ask(edge.url, `/npm/${changed}`, {});
    expect(JSON.parse(text)._rev).toBe(fake.packument(changed)?.['_rev']);
  });

  it('sends tarballs to R2, and their rows, so that the worker serves them without the registry', async () => {
    const names = [...fake.names()].filter((name) => /^[a-z]+$/.test(name)).slice(0, 5);
    const list = tempFile('names.txt', names.join('\n'));
    const made = await runCli(['bootstrap', '--names', list, '--depth', 'tarballs', ...at(fake, cache)]);
    expect(made.code).toBe(0);
    edge.asked.length = 0;
    const { code, events } = await push();
    expect(code).toBe(0);
    const { tarballs } = last(events) as unknown as { tarballs: Record<string, number> };
    expect(tarballs['sent']).toBeGreaterThanOrEqual(names.length);
    expect(tarballs['blobs']).toBeGreaterThan(0);
    fake.resetStats();
    for (const name of names) {
      const versions = fake.packument(name)?.['versions'] as Record<
        string,
        { dist: { tarball: string; integrity: string } }
      >;
      for (const { dist } of Object.values(versions)) {
        const { status, raw, headers } = await ask(edge.url, new URL(dist.tarball).pathname, {});
        expect([status, headers['etag']]).toEqual([200, `"${dist.integrity}"`]);
        expect(`sha512-${createHash('sha512').update(raw).digest('base64')}`).toBe(dist.integrity);
      }
    }
    expect(fake.stats().requests).toBe(0);
    edge.asked.length = 0;
    expect(last((await push()).events)).toMatchObject({ tarballs: { sent: 0, deleted: 0, blobs: 0 } });
    expect(writes()).toEqual([]);
  });
});
