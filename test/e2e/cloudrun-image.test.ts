import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serve } from '../../scripts/clients/command.ts';
import { differencesOf, install } from '../../scripts/clients/installation.ts';
import { APPS, chooseClients } from '../../scripts/clients/tools.ts';
import { ask } from '../fake-origin/client.ts';
import type { FakeOrigin } from '../fake-origin/index.ts';
import { buildCloudRunImage } from '../servers/cloudrun.ts';
import { type GCSServer, startGCS, whyNoGCS } from '../servers/gcs.ts';
import { type Image, removeImage, runImage, whyNoImage } from '../servers/image.ts';
import { freePort } from '../servers/process.ts';
import { tempDir, until } from './cli.ts';
import { startFake } from './replica.ts';

const isReady = (port: number) =>
  ask(`http://127.0.0.1:${port}`, '/readyz').then(
    ({ status }) => status === 200,
    () => false,
  );

const why = whyNoGCS() ?? whyNoImage();

describe.skipIf(why)(`the image for Cloud Run${why ? ` (off: ${why})` : ''}`, () => {
  let image: Image;
  let gcs: GCSServer;
  let fake: FakeOrigin;
  let env: Record<string, string>;

  beforeAll(async () => {
    image = buildCloudRunImage();
    gcs = await startGCS();
    fake = await startFake({ packages: 50, seed: 4 });
    const bucket = await gcs.bucket();
    env = { ...gcs.env, ALL_DOCS_BUCKET: bucket, ALL_DOCS_REGISTRY: fake.url, ALL_DOCS_ORIGIN: fake.url };
  }, 400_000);
  afterAll(async () => {
    await gcs?.stop();
    if (image) removeImage(image);
  });

  async function run(command?: string[], more: Record<string, string> = {}) {
    const child = runImage(image, { ...env, ...more }, command);
    let printed = '';
    child.stdout?.on('data', (text) => {
      printed += text;
    });
    child.stderr?.on('data', (text) => {
      printed += text;
    });
    const ended = once(child, 'close') as Promise<[code: number | null, signal: string | null]>;
    return { child, ended, printed: () => printed };
  }
  const evaluated = async (script: string) => {
    const { ended, printed } = await run(['/nodejs/bin/node', '-e', script]);
    return { code: (await ended)[0], printed: printed() };
  };

  it('serves documents and tarballs as a user without rights, on a root that is read-only, and ends at SIGTERM', async () => {
    const port = await freePort();
    const { child, ended, printed } = await run(undefined, { PORT: String(port) });
    const url = `http://127.0.0.1:${port}`;
    await until(() => isReady(port), 'the service is ready').catch((error) => {
      throw new Error(`${error.message}\n${printed()}`);
    });
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    expect(status).toMatch(/^Uid:\t65532\t65532/m);
    const name = [...fake.names()][0] as string;
    const document = await ask(url, `/npm/${name.replace('/', '%2f')}`);
    expect(document.status).toBe(200);
    const { versions } = fake.packument(name) as { versions: Record<string, { dist: { tarball: string } }> };
    const [{ dist }] = Object.values(versions) as [{ dist: { tarball: string } }];
    expect((await ask(url, `/npm${new URL(dist.tarball).pathname}`)).status).toBe(200);
    const check = await run(image.healthcheck, { PORT: String(port) });
    expect((await check.ended)[0]).toBe(0);
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
    expect(await ended).toEqual([0, null]);
    clearTimeout(late);
    for (const line of printed().trim().split('\n'))
      expect(JSON.parse(line)).toMatchObject({ severity: expect.any(String) });
  });

  it('lets npm and pnpm install through it what they install from the registry, cold and warm', {
    timeout: 400_000,
  }, async () => {
    const upstream = await serve(join(tempDir(), 'upstream'));
    const bucket = await gcs.bucket();
    try {
      for (const [name, client] of chooseClients('npm,pnpm')) {
        const folder = tempDir();
        const dependencies = { ...APPS['small'] };
        const direct = await install(client, { project: join(folder, 'direct'), registry: upstream.url, dependencies });
        const port = await freePort();
        const from = { ALL_DOCS_REGISTRY: upstream.url, ALL_DOCS_ORIGIN: upstream.base };
        const { child, ended } = await run(undefined, {
          ...from,
          ALL_DOCS_BUCKET: `${bucket}/${name}`,
          PORT: String(port),
        });
        for (const project of ['cold', 'warm']) {
          const registry = `http://127.0.0.1:${port}/npm/`;
          if (project === 'cold') await until(() => isReady(port), 'the service is ready');
          const got = await install(client, { project: join(folder, project), registry, dependencies });
          expect(differencesOf(direct, got), `${name} ${project}`).toEqual([]);
        }
        child.kill('SIGTERM');
        await ended;
      }
    } finally {
      await upstream.stop();
    }
  });

  it('can write to /tmp and nowhere else', async () => {
    const written = await evaluated(`
      const { writeFileSync } = require('node:fs');
      const tried = ['/tmp/x', '/app/x', '/x', '/etc/passwd'].map((path) => { try { writeFileSync(path, ''); return 'written'; } catch ({ code }) { return code; } });
      console.log(JSON.stringify(tried));`);
    expect(JSON.parse(written.printed)).toEqual(['written', 'EROFS', 'EROFS', 'EROFS']);
  });

  it('says what is missing, in a line that Cloud Run shows, and ends with 1', async () => {
    const { ended, printed } = await run(undefined, { ALL_DOCS_BUCKET: '', PORT: '0' });
    expect((await ended)[0]).toBe(1);
    expect(JSON.parse(printed())).toMatchObject({
      severity: 'ERROR',
      message: expect.stringContaining('ALL_DOCS_BUCKET'),
    });
    const check = await run(image.healthcheck, { PORT: String(await freePort()) });
    expect((await check.ended)[0]).toBe(1);
  });
});
