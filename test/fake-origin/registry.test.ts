import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from './client.ts';
import type { FakeOrigin } from './index.ts';
import { NASTY_NAMES, startFakeOrigin } from './index.ts';

interface Manifest {
  name: string;
  version: string;
  scripts?: Record<string, string>;
  hasInstallScript?: boolean;
  dist: { tarball: string; shasum: string; integrity: string };
}
interface Packument {
  _id?: string;
  _rev?: string;
  name: string;
  'dist-tags'?: Record<string, string>;
  versions?: Record<string, Manifest>;
  time?: Record<string, unknown>;
  modified?: string;
}

const CORGI = 'application/vnd.npm.install-v1+json';
const FULL_KEYS = ['_id', '_rev', 'name', 'dist-tags', 'versions', 'time'];
const SHORT_KEYS = new Set([
  'name',
  'version',
  'deprecated',
  'dependencies',
  'acceptDependencies',
  'optionalDependencies',
  'devDependencies',
  'bundleDependencies',
  'peerDependencies',
  'peerDependenciesMeta',
  'bin',
  'directories',
  'dist',
  'engines',
  '_hasShrinkwrap',
  'hasInstallScript',
  'funding',
  'cpu',
  'os',
]);

let fake: FakeOrigin;
beforeAll(async () => {
  fake = await startFakeOrigin({ packages: 3000, seed: 5 });
});
afterAll(() => fake.close());

const pathOf = (name: string) => `/${encodeURIComponent(name)}`;
const get = (path: string, headers: Record<string, string> = {}) => ask(fake.url, path, { headers });
const parse = (text: string) => JSON.parse(text) as Packument;

describe('a packument', () => {
  it.each(NASTY_NAMES.map((name) => [name]))('is served under its own name: %s', async (name) => {
    const { status, text } = await get(pathOf(name));
    expect(status).toBe(200);
    expect(parse(text)).toMatchObject({ _id: name, name, _rev: fake.rev(name) });
    expect(Object.keys(parse(text)).slice(0, 6)).toEqual(FULL_KEYS);
    expect(parse(text)).toEqual(fake.packument(name));
  });

  it('is found under every spelling of a scope, and raw dots are not normalised', async () => {
    for (const path of ['/@a/b', '/@a%2fb', '/@a%2Fb', '/%40a%2fb'])
      expect(parse((await get(path)).text)._id).toBe('@a/b');
    expect(parse((await get('/@explodingcabbage/..')).text)._id).toBe('@explodingcabbage/..');
    expect(parse((await get('/-')).text)._id).toBe('-');
  });

  it('has two forms with an ETag each, and the headers of the public registry', async () => {
    const full = await get('/jquery', { accept: 'application/json' });
    const short = await get('/jquery', { accept: `${CORGI}; q=1.0, application/json; q=0.8, */*` });
    expect(full.headers).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'public, max-age=300',
      vary: 'Accept-Encoding, Accept',
      'content-length': String(full.raw.length),
    });
    expect(short.headers['content-type']).toBe(CORGI);
    for (const { headers } of [full, short]) expect(headers.etag).toMatch(/^"[0-9a-f]{32}"$/);
    expect(full.headers.etag).not.toBe(short.headers.etag);
    expect(Date.parse(full.headers['last-modified'] as string)).toBeGreaterThan(0);
    expect(Object.keys(parse(short.text)).sort()).toEqual(['dist-tags', 'modified', 'name', 'versions']);
    expect(parse(short.text).modified).toBe(parse(full.text).time?.modified);
  });

  it('abbreviates to the documented fields, the same values, and derives hasInstallScript', async () => {
    let withScript = 0;
    for (const name of [...fake.names()].filter((_, i) => i % 5 === 0)) {
      const full = fake.packument(name) as unknown as Packument;
      const short = parse((await get(pathOf(name), { accept: CORGI })).text);
      expect(Object.keys(short.versions ?? {})).toEqual(Object.keys(full.versions ?? {}));
      for (const [version, manifest] of Object.entries(short.versions ?? {})) {
        const whole = full.versions?.[version] as Manifest;
        const { hasInstallScript, ...copied } = manifest;
        expect(whole).toMatchObject(copied);
        expect(Object.keys(manifest).filter((key) => !SHORT_KEYS.has(key))).toEqual([]);
        const installs = ['preinstall', 'install', 'postinstall'].some((script) => script in (whole.scripts ?? {}));
        expect(hasInstallScript).toBe(installs || undefined);
        if (installs) withScript += 1;
      }
    }
    expect(withScript).toBeGreaterThan(0);
  });

  it('answers 304 to its ETag and to nothing else', async () => {
    const { headers } = await get('/a');
    const same = await get('/a', { 'if-none-match': `"x", ${headers.etag}` });
    expect(same.status).toBe(304);
    expect(same.raw.length).toBe(0);
    expect(same.headers).toMatchObject({ etag: headers.etag, vary: 'Accept-Encoding, Accept' });
    expect((await get('/a', { 'if-none-match': headers.etag as string, accept: CORGI })).status).toBe(200);
    expect((await get('/a', { 'if-modified-since': headers['last-modified'] as string })).status).toBe(304);
    fake.publish('a');
    expect((await get('/a', { 'if-none-match': headers.etag as string })).status).toBe(200);
    expect((await get('/a', { 'if-modified-since': headers['last-modified'] as string })).status).toBe(200);
  });

  it('is compressed when admitted; HEAD has the same headers and no body', async () => {
    const zipped = await get('/lodash.merge', { 'accept-encoding': 'gzip' });
    const plain = await get('/lodash.merge');
    expect(zipped.headers['content-encoding']).toBe('gzip');
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(zipped.text).toBe(plain.text);
    const head = await ask(fake.url, '/lodash.merge', { method: 'HEAD' });
    expect(head.headers['content-length']).toBe(plain.headers['content-length']);
    expect(head.raw.length).toBe(0);
  });

  it('writes tarball URLs with the Host that was asked, under an ETag of its own', async () => {
    const here = await get('/a');
    const there = await get('/a', { host: 'mirror.example:81' });
    const [manifest] = Object.values(parse(there.text).versions ?? {});
    expect(manifest?.dist.tarball).toMatch(/^http:\/\/mirror\.example:81\/a\/-\/a-/);
    expect(there.headers.etag).not.toBe(here.headers.etag);
  });

  it('gains a version when published, and keeps the old ones as they were', () => {
    const before = fake.packument('etag') as unknown as Packument;
    fake.publish('etag');
    const after = fake.packument('etag') as unknown as Packument;
    expect(after.versions).toMatchObject(before.versions ?? {});
    expect(Object.keys(after.versions ?? {}).length).toBe(Object.keys(before.versions ?? {}).length + 1);
    expect(after['dist-tags']?.latest).toBe(Object.keys(after.versions ?? {}).at(-1));
    expect(String(after.time?.modified) > String(before.time?.modified)).toBe(true);
  });

  it('has sizes with a long tail, or small ones', async () => {
    const sizes = [...fake.names()].map((name) => JSON.stringify(fake.packument(name)).length).sort((x, y) => x - y);
    expect(sizes[1500]).toBeGreaterThan(3500);
    expect(sizes[1500]).toBeLessThan(7000);
    expect(sizes[2700]).toBeGreaterThan(35_000);
    expect(sizes[2970]).toBeGreaterThan(200_000);
    const small = await startFakeOrigin({ packages: 500, seed: 5, sizes: 'small' });
    for (const name of small.names())
      if (name.length < 50) expect(JSON.stringify(small.packument(name)).length).toBeLessThan(3200);
    await small.close();
  });
});

describe('a tarball', () => {
  it.each(['pool', 'named'] as const)('is a gzip with the digests of its manifest (%s)', async (tarballs) => {
    const origin = await startFakeOrigin({ packages: 200, seed: 5, tarballs });
    for (const name of ['jquery', '@a/b', '@x/..', '-', 'naïve-日本', "~'!()*", '@explodingcabbage/..']) {
      const { versions = {} } = parse((await ask(origin.url, pathOf(name))).text);
      for (const { dist, version } of Object.values(versions)) {
        const { pathname } = new URL(dist.tarball);
        expect(dist.tarball).toBe(origin.url + pathname);
        const { status, raw } = await ask(origin.url, pathname);
        expect(status).toBe(200);
        expect(`sha512-${createHash('sha512').update(raw).digest('base64')}`).toBe(dist.integrity);
        expect(createHash('sha1').update(raw).digest('hex')).toBe(dist.shasum);
        const tar = gunzipSync(raw);
        expect(tar.subarray(0, 20).toString()).toBe('package/package.json');
        if (tarballs === 'named') expect(tar.toString()).toContain(`"version": "${version}"`);
      }
    }
    await origin.close();
  });

  it('is a 404 for versions that are not there', async () => {
    for (const path of ['/a/-/a-99.0.0.tgz', '/a/-/b-1.0.0.tgz', '/a/-/a-1.0.0.zip', '/a/-/x'])
      expect((await get(path)).status).toBe(404);
  });
});

describe('other paths', () => {
  it('serves manifests, tags and ping', async () => {
    const { versions = {}, 'dist-tags': tags = {} } = fake.packument('@a/b') as unknown as Packument;
    const latest = tags.latest as string;
    expect(JSON.parse((await get('/@a%2fb/latest')).text)).toEqual(versions[latest]);
    expect(JSON.parse((await get(`/@a/b/${latest}`)).text)).toEqual(versions[latest]);
    expect((await get('/@a/b/77.0.0')).status).toBe(404);
    expect((await get('/@a/b/constructor')).status).toBe(404);
    expect(JSON.parse((await get('/-/package/@a%2fb/dist-tags')).text)).toEqual(tags);
    expect((await get('/-/ping')).text).toBe('{}');
  });

  it('says 404, 405 and 400 in JSON', async () => {
    const missing = await get('/no-such-package-here');
    expect([missing.status, missing.text]).toEqual([404, '{"error":"Not found"}']);
    const put = await ask(fake.url, '/a', { method: 'PUT', body: '{}' });
    expect([put.status, put.headers.allow]).toEqual([405, 'GET, HEAD']);
    expect((await get('/%ff')).status).toBe(400);
    expect((await get('/-/v1/search')).status).toBe(404);
  });
});

describe('a removed package', () => {
  it.each(['deleted', '404'] as const)('is a 404: %s', async (how) => {
    fake.publish(`gone-${how}`);
    fake.remove(`gone-${how}`, how);
    expect((await get(`/gone-${how}`)).status).toBe(404);
    expect((await get(`/gone-${how}/-/gone-${how}-0.0.1.tgz`)).status).toBe(404);
    expect(fake.packument(`gone-${how}`)).toBeUndefined();
  });

  it('is a stub without versions: unpublished', async () => {
    fake.remove('con', 'unpublished');
    const stub = parse((await get('/con')).text);
    expect(stub).toMatchObject({ _id: 'con', time: { unpublished: { versions: expect.any(Array) } } });
    expect(stub).not.toHaveProperty('versions');
    expect(stub).not.toHaveProperty('dist-tags');
    expect(parse((await get('/con', { accept: CORGI })).text).versions).toEqual({});
  });

  it('is a security holder: placeholder', async () => {
    fake.remove('nul', 'placeholder');
    const held = parse((await get('/nul')).text);
    expect(Object.keys(held.versions ?? {})).toEqual(['0.0.1-security']);
    expect(held.versions?.['0.0.1-security']).toMatchObject({ _npmUser: { name: 'npm' } });
    expect((await get('/nul/-/nul-0.0.1-security.tgz')).status).toBe(200);
    expect((await get('/nul/-/nul-0.0.1.tgz')).status).toBe(404);
  });
});
