import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, type Reply } from '../fake-origin/client.ts';
import { type FakeOrigin, startFakeOrigin } from '../fake-origin/index.ts';

/** What a runtime may lack; without it the whole protocol is expected. */
type RegistryFeature = 'cross-request single flight' | 'raw paths' | 'stale while the origin fails';

interface RunningRegistry {
  /** Where npm's routes begin, without a slash at the end. */
  url: string;
  stop(): Promise<void>;
}

export interface RegistryContract {
  name: string;
  /** Starts a registry that holds nothing, in front of this origin. */
  start(fake: FakeOrigin): Promise<RunningRegistry>;
  /** Features that the runtime lacks, each with the reason, which the skipped test's title bears. */
  lacks?: Partial<Record<RegistryFeature, string>>;
}

const CORGI = 'application/vnd.npm.install-v1+json';
const GZIP = { 'accept-encoding': 'gzip' };

interface Dist {
  tarball: string;
  integrity: string;
}

/** What every registry of ours answers, asked over its URL alone: the same tests for each runtime. */
export function registryContract({ name, start, lacks = {} }: RegistryContract): void {
  describe(`registry contract: ${name}`, () => {
    let fake: FakeOrigin;
    let registry: RunningRegistry;
    let names: string[];
    const get = (path: string, options: Parameters<typeof ask>[2] = {}): Promise<Reply> =>
      ask(
        registry.url.replace(/(?<=:\d+)\/.*/, ''),
        `${new URL(registry.url).pathname.replace(/\/$/, '')}${path}`,
        options,
      );
    /** A name that no test has used. */
    const fresh = (): string => {
      const name = names.pop();
      if (name === undefined) throw new Error('no name is left: let the origin have more packages');
      return name;
    };
    const distOf = (of: string): Dist & { path: string; version: string } => {
      const { versions } = fake.packument(of) as { versions: Record<string, { dist: Dist }> };
      const [version, { dist }] = Object.entries(versions)[0] as [string, { dist: Dist }];
      return { ...dist, version, path: dist.tarball.slice(fake.url.length) };
    };
    /** Runs only where the runtime has the feature; else it is skipped, and its title says why. */
    const needs = (feature: RegistryFeature) => (title: string, test: () => Promise<void>) => {
      const reason = lacks[feature];
      if (reason === undefined) it(title, test);
      else it.skip(`${title} (${reason})`, test);
    };

    beforeAll(async () => {
      fake = await startFakeOrigin({ packages: 600, seed: 7, sizes: 'small', attestations: true });
      registry = await start(fake);
      names = [...fake.names()].filter((of) => /^[a-z]{3,}$/.test(of) && distOf(of).integrity !== undefined);
    }, 400_000);
    afterAll(async () => {
      await registry?.stop();
      await fake?.close();
    }, 60_000);

    describe('documents', () => {
      it('are the registry’s, full and abbreviated, gzip and plain', async () => {
        const of = fresh();
        const full = await get(`/${of}`, { headers: { ...GZIP, accept: 'application/json' } });
        expect([full.status, full.headers['content-encoding']]).toEqual([200, 'gzip']);
        const document = JSON.parse(full.text);
        expect([document.name, document['dist-tags']]).toEqual([of, fake.packument(of)?.['dist-tags']]);
        const short = await get(`/${of}`, { headers: { accept: CORGI } });
        expect([short.headers['content-type'], short.headers['content-encoding']]).toEqual([CORGI, undefined]);
        expect(Object.keys(JSON.parse(short.text)).sort()).toEqual(['dist-tags', 'modified', 'name', 'versions']);
      });

      it('are sent once packed: gunzip once gives JSON', async () => {
        const of = fresh();
        for (let i = 0; i < 2; i++) {
          const { raw } = await get(`/${of}`, { headers: GZIP });
          expect(JSON.parse(gunzipSync(raw).toString()).name).toBe(of);
        }
      });

      it('have an ETag for each form and coding; whoever holds one gets 304 with the same Vary', async () => {
        const of = fresh();
        const seen = new Set<string>();
        for (const accept of ['application/json', CORGI])
          for (const encoding of ['gzip', 'identity']) {
            const headers = { accept, 'accept-encoding': encoding };
            const first = await get(`/${of}`, { headers });
            const etag = String(first.headers.etag);
            expect(etag).toMatch(/^"[^"]+"$/);
            seen.add(etag);
            const again = await get(`/${of}`, { headers: { ...headers, 'if-none-match': etag } });
            expect([again.status, again.text, again.headers.etag]).toEqual([304, '', etag]);
            expect(again.headers.vary).toMatch(/Accept.*Accept-Encoding/);
            expect(again.headers.vary).toBe(first.headers.vary);
          }
        expect(seen.size).toBe(4);
      });

      it('answer HEAD with what GET says, and no body', async () => {
        const of = fresh();
        const got = await get(`/${of}`, { headers: GZIP });
        const head = await get(`/${of}`, { method: 'HEAD', headers: GZIP });
        expect([head.status, head.text, head.headers.etag]).toEqual([200, '', got.headers.etag]);
        expect(head.headers['content-type']).toBe(got.headers['content-type']);
      });

      it('are asked of the origin once, however often and in whatever form they are asked for one after the other', async () => {
        const of = fresh();
        fake.resetStats();
        for (const accept of ['application/json', CORGI, CORGI, 'application/json'])
          expect((await get(`/${of}`, { headers: { accept, ...GZIP } })).status).toBe(200);
        expect(fake.stats().requests).toBe(1);
      });

      needs('cross-request single flight')('are asked of the origin once by many who ask at once', async () => {
        const of = fresh();
        fake.resetStats();
        const answers = await Promise.all(Array.from({ length: 20 }, () => get(`/${of}`)));
        expect(answers.every(({ status }) => status === 200)).toBe(true);
        expect(fake.stats().requests).toBe(1);
      });

      it('have versions, tags and dist-tags of their own', async () => {
        const of = fresh();
        const { version } = distOf(of);
        const tags = fake.packument(of)?.['dist-tags'] as Record<string, string>;
        expect(JSON.parse((await get(`/${of}/${version}`)).text)).toMatchObject({ name: of, version });
        expect(JSON.parse((await get(`/${of}/latest`)).text).version).toBe(tags['latest']);
        expect(JSON.parse((await get(`/-/package/${of}/dist-tags`)).text)).toEqual(tags);
        expect((await get(`/${of}/0.0.0-nothing`)).status).toBe(404);
      });

      it('of scopes are found in all three spellings', async () => {
        const scoped = [...fake.names()].find((of) => /^@[a-z]+\/[a-z-]+$/.test(of)) as string;
        for (const path of [`/${scoped}`, `/${scoped.replace('/', '%2f')}`, `/${scoped.replace('/', '%2F')}`])
          expect([path, JSON.parse((await get(path)).text).name]).toEqual([path, scoped]);
      });

      it('that the origin does not have are a 404 in the shape of npm, asked for once', async () => {
        fake.resetStats();
        for (let i = 0; i < 3; i++) {
          const { status, text } = await get('/nobody-has-this-name');
          expect([status, typeof JSON.parse(text).error]).toEqual([404, 'string']);
        }
        expect(fake.stats().requests).toBe(1);
      });

      it('that cannot be had are a 5xx, and a document afterwards', async () => {
        const of = fresh();
        fake.setFaults([{ fault: '500', path: `^/${of}$` }]);
        const { status, text } = await get(`/${of}`);
        fake.setFaults([]);
        expect(status).toBeGreaterThanOrEqual(500);
        expect(JSON.parse(text).error).toEqual(expect.any(String));
        expect((await get(`/${of}`)).status).toBe(200);
      });

      it('that come cut, damaged or under another name are not kept', async () => {
        for (const fault of ['whole-cut', 'corrupt-gzip', 'wrong-name', 'html-200', 'json-array'] as const) {
          const of = fresh();
          fake.setFaults([{ fault, path: `^/${of}$` }]);
          const { status } = await get(`/${of}`);
          fake.setFaults([]);
          expect([fault, status >= 500]).toEqual([fault, true]);
          expect(JSON.parse((await get(`/${of}`)).text).name).toBe(of);
        }
      });
    });

    describe('tarballs', () => {
      it('are the ones that the document names, from our own URL, and asked of the origin once', async () => {
        const of = fresh();
        const { path, integrity, version } = distOf(of);
        const { versions } = JSON.parse((await get(`/${of}`)).text);
        const own = new URL(versions[version].dist.tarball);
        expect(own.host).toBe(new URL(registry.url).host);
        fake.resetStats();
        for (let i = 0; i < 2; i++) {
          const { status, raw } = await ask(own.origin, own.pathname);
          expect([status, `sha512-${createHash('sha512').update(raw).digest('base64')}`]).toEqual([200, integrity]);
        }
        expect(fake.stats().requests).toBe(1);
        // npm asks without the prefix when it swaps a tarball's host.
        expect((await ask(own.origin, path)).status).toBe(200);
      });

      it('have ranges, HEAD and 304 once they are kept', async () => {
        const { path } = distOf(fresh());
        const { raw } = await get(path);
        const part = await get(path, { headers: { range: 'bytes=2-5' } });
        expect([part.status, part.raw.equals(raw.subarray(2, 6))]).toEqual([206, true]);
        expect(part.headers['content-range']).toBe(`bytes 2-5/${raw.length}`);
        expect((await get(path, { headers: { range: `bytes=${raw.length}-` } })).status).toBe(416);
        const head = await get(path, { method: 'HEAD' });
        expect([head.status, head.headers['content-length']]).toEqual([200, String(raw.length)]);
        const headers = { 'if-none-match': String(head.headers.etag) };
        expect((await get(path, { headers })).status).toBe(304);
      });

      it('that are damaged on the way never reach a client whole, and are right when they are asked for again', async () => {
        const { path, integrity } = distOf(fresh());
        fake.setFaults([{ fault: 'corrupt-gzip', path: '[.]tgz$' }]);
        const first = await get(path).catch(() => undefined);
        fake.setFaults([]);
        if (first?.status === 200)
          expect(first.raw.length).toBeLessThan(Number(first.headers['content-length'] ?? 1e9));
        const { raw } = await get(path);
        expect(`sha512-${createHash('sha512').update(raw).digest('base64')}`).toBe(integrity);
      });

      it('of hosts that are not the registry’s are not fetched', async () => {
        const of = fresh();
        const { path } = distOf(of);
        fake.setFaults([{ fault: 'tarball-host', to: 'http://169.254.169.254', path: `^/${of}$` }]);
        await get(`/${of}`);
        const { status, text } = await get(path);
        fake.setFaults([]);
        expect([status, JSON.parse(text).code]).toEqual([502, 'ERR_FORBIDDEN_HOST']);
      });

      it('that no version has are a 404', async () => {
        expect((await get(`/${fresh()}/-/nothing-1.0.0.tgz`)).status).toBe(404);
      });
    });

    describe('other routes', () => {
      it.each(['/', '/-/ping'])('%s is an empty object', async (path) => {
        expect(await get(path)).toMatchObject({ status: 200, text: '{}' });
      });

      it('the keys are passed on', async () => {
        const { status, text } = await get('/-/npm/v1/keys');
        expect([status, JSON.parse(text).keys?.length > 0]).toEqual([200, true]);
      });

      it('a search finds held names by how they begin', async () => {
        const of = fresh();
        await get(`/${of}`);
        const { status, text } = await get(`/-/v1/search?text=${of}&size=250`);
        const found = JSON.parse(text).objects.map(
          ({ package: { name: named } }: { package: { name: string } }) => named,
        );
        expect([status, found.includes(of)]).toEqual([200, true]);
        expect((await get('/-/v1/search')).status).toBe(400);
      });

      it.each(['PUT', 'DELETE', 'POST'])('%s is a 405 that says where to publish', async (method) => {
        const { status, headers, text } = await get('/express', { method });
        expect([status, headers.allow]).toEqual([405, 'GET, HEAD']);
        expect(JSON.parse(text).error).toContain('npm publish');
      });

      it('POST to a retired audit path is a 410', async () => {
        expect((await get('/-/npm/v1/security/audits', { method: 'POST' })).status).toBe(410);
      });
    });

    describe('bad input', () => {
      it.each([
        '/%00',
        '/a%00b',
        '/%',
        '/%zz',
        '/%c3%28',
        '/a%2fb',
        '/..%2f..%2fetc%2fpasswd',
        '/%2e%2e%2f%2e%2e%2fetc%2fpasswd',
        '/%252e%252e',
        '/@s%2f..%2f..%2fetc',
        '/@s',
        '/express/-/..%2f..%2fx.tgz',
        '/express/-/x.zip',
      ])('%s is a 4xx in the shape of npm, and the origin hears nothing of it', async (path) => {
        fake.resetStats();
        const { status, text } = await get(path);
        expect([Math.floor(status / 100), typeof JSON.parse(text).error]).toEqual([4, 'string']);
        expect(fake.stats().requests).toBe(0);
      });

      it('a name of 3,000 characters is a 4xx', async () => {
        expect(Math.floor((await get(`/${'n'.repeat(3_000)}`)).status / 100)).toBe(4);
      });

      needs('raw paths')('dots that no URL library may resolve lead nowhere', async () => {
        for (const path of ['/../../etc/passwd', '/express/..', '/./express'])
          expect(Math.floor((await get(path)).status / 100)).toBe(4);
      });

      it('names of prototypes are names', async () => {
        for (const of of ['__proto__', 'constructor', 'hasownproperty']) {
          const { status, text } = await get(`/${of}`);
          expect([of, status]).toEqual([of, fake.packument(of) ? 200 : 404]);
          if (status === 200) expect(JSON.parse(text).name).toBe(of);
        }
        expect((await get(`/${fresh()}/__proto__`)).status).toBe(404);
      });

      it('a Host header never poisons what others get', async () => {
        const of = fresh();
        for (const host of ['evil.test', 'a b', 'evil.test/x', '"', 'evil.test:99999'])
          await get(`/${of}`, { headers: { host, 'x-forwarded-host': 'evil.test' } }).catch(() => undefined);
        expect((await get(`/${of}`)).text).not.toContain('evil.test');
      });
    });

    needs('stale while the origin fails')('what is held is answered while the origin fails', async () => {
      const of = fresh();
      await get(`/${of}`);
      fake.setFaults([{ fault: 'reset' }]);
      const { status } = await get(`/${of}`);
      fake.setFaults([]);
      expect(status).toBe(200);
    });
  });
}
