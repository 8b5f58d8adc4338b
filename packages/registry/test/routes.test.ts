import { packumentPath } from '@_all_docs/packument';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NASTY_NAMES } from '../../../test/fake-origin/nasty.ts';
import { edge } from './_edge.ts';
import { answer, documentOf, replica } from './_replica.ts';

describe.each([
  ['NpmRegistry', replica],
  ['EdgeRegistry', edge],
])('%s:', (_, make) => {
  /** A replica whose origin has a document for every name that it is asked for. */
  function generous(options = {}) {
    const it = make({ options });
    it.origin.transport = async (request) => {
      it.origin.requests.push(request);
      const name = decodeURIComponent(new URL(`http://x/${request.url.split('.test/')[1]}`).pathname.slice(1));
      const known = request.url.split('.test/')[1] as string;
      return answer(JSON.stringify(documentOf(known.startsWith('@') ? decodeURIComponent(known) : name)));
    };
    const fresh = make({ options, env: { transport: it.origin.transport } });
    return { ...fresh, asked: () => it.origin.requests.map(({ url }) => url.split('.test')[1]) };
  }

  describe('the spellings of a name', () => {
    test.each([
      ['/npm/express', 'express'],
      ['/npm/express/', 'express'],
      ['/npm/express?write=true', 'express'],
      ['/npm/e%78press', 'express'],
      ['/npm/@s/n', '@s/n'],
      ['/npm/@s%2fn', '@s/n'],
      ['/npm/@s%2Fn', '@s/n'],
      ['/npm/%40s%2fn', '@s/n'],
      ['/npm/%40s/n', '@s/n'],
      ['/npm/@s%2fn/', '@s/n'],
      ['/npm/-', '-'],
      ['/npm/__proto__', '__proto__'],
      ['/npm/constructor', 'constructor'],
      ['/npm/@x%2f..', '@x/..'],
      ['/npm/@x/..', '@x/..'],
      ['/npm/na%C3%AFve-%E6%97%A5%E6%9C%AC', 'naïve-日本'],
      ['/npm/_all_docs', '_all_docs'],
    ])('%s is the package %s, and asks the origin for that one alone', async (target, name) => {
      const { ask, asked } = generous();
      const { status, json } = await ask(target);
      expect(status).toBe(200);
      expect(json.name).toBe(name);
      expect(asked()).toEqual([packumentPath(name)]);
    });

    test('every nasty name that exists is served under each of its spellings', async () => {
      const { ask } = generous();
      for (const name of NASTY_NAMES) {
        const encoded = encodeURIComponent(name);
        const spellings = [packumentPath(name), `/${encoded}`, `/${encoded.replace('%2F', '/')}`];
        for (const spelling of new Set(spellings)) {
          const { status, json } = await ask(`/npm${spelling}`);
          expect([spelling, status]).toEqual([spelling, 200]);
          expect(json.name).toBe(name);
        }
      }
    });
  });

  describe('what cannot be asked for', () => {
    test.each([
      '/npm/..',
      '/npm/.',
      '/npm/%2e%2e',
      '/npm/%2E%2e',
      '/npm/..%2f..%2fetc%2fpasswd',
      '/npm/%2e%2e%2f%2e%2e%2fetc%2fpasswd',
      '/npm/../../etc/passwd',
      '/npm/%252e%252e',
      '/npm/@s%2f..%2f..%2fetc',
      '/npm/@s/..%2f..%2fetc',
      '/npm/..%5c..%5cetc',
      '/npm/a%2fb',
      '/npm/a%00b',
      '/npm/%00',
      '/npm/a%0d%0ahost:%20x',
      '/npm/%',
      '/npm/%zz',
      '/npm/%c3%28',
      '/npm/%ed%a0%80',
      '/npm/a%25b',
      '/npm/@',
      '/npm/@s',
      '/npm/@s%2f',
      '/npm/@%2fn',
      '/npm//express',
      `/npm/${'n'.repeat(10_000)}`,
      `/npm/${'n'.repeat(2_000)}`,
      `/npm/@s%2f${'n'.repeat(10_000)}`,
      '/npm/express/..',
      '/npm/express/%2e%2e',
      '/npm/express/a%2fb',
      '/npm/express/%00',
      '/npm/express/-/..%2f..%2fx.tgz',
      '/npm/express/-/%2e%2e',
      '/npm/express/-/a%00.tgz',
      '/npm/express/-/express-1.0.0.zip',
      '/npm/express/-/.tgz',
      '/npm/express/1/2/3',
      '/npm/-/package/..%2f..%2fx/dist-tags',
      '/npm/-/package//dist-tags',
      '/npm/-/npm/v1/attestations/express',
      '/npm/-/npm/v1/attestations/@s%2fn',
      '/npm/-/npm/v1/attestations/../../x@1.0.0',
      '/npm/-/npm/v1/attestations/x@..%2f..',
      '/npm/-/all',
      '/npm/-/_view/byUser',
      '/express',
      '/@s/n',
      '/-/npm/v1/keys',
      '/-/package/express/dist-tags',
      '/..%2f..%2fetc',
      'http://elsewhere.test/npm/express',
      '*',
      '',
    ])('%s is a 4xx in the shape of npm, and the origin hears nothing of it', async (target) => {
      const { ask, asked } = generous();
      const { status, json, headers } = await ask(target);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
      expect(json.error).toEqual(expect.any(String));
      expect(headers['content-type']).toBe('application/json');
      expect(asked()).toEqual([]);
    });

    test('whatever the target is, an answer comes, and only names are asked for', async () => {
      const piece = fc.oneof(
        fc.constantFrom(
          '/',
          '..',
          '.',
          '-',
          '@',
          '%2f',
          '%2e',
          '%00',
          '%',
          '?',
          '#',
          'npm',
          '\\',
          'x.tgz',
          '%40',
          '//',
        ),
        fc.string({ maxLength: 5 }),
      );
      const { ask, asked } = generous();
      await fc.assert(
        fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
          const before = asked().length;
          const { status } = await ask(`/npm/${pieces.join('')}`);
          expect([200, 400, 401, 404, 405]).toContain(status);
          for (const path of asked().slice(before)) {
            const name = decodeURIComponent((path as string).slice(1));
            expect(packumentPath(name)).toBe(path);
            expect(name).toMatch(/^(@[^/]+\/)?[^/]+$/);
            expect(name).not.toMatch(/^\.{1,2}$/);
          }
        }),
        { seed: 4, numRuns: 500 },
      );
    }, 30_000);

    test('different names never get each other’s document, however they are spelled', async () => {
      const part = fc.string({ minLength: 1, maxLength: 6 }).filter((text) => text.isWellFormed());
      const names = fc.oneof(
        part,
        fc.tuple(part, part).map(([scope, name]) => `@${scope}/${name}`),
      );
      const { ask } = generous();
      await fc.assert(
        fc.asyncProperty(names, async (name) => {
          const answered = await ask(`/npm${packumentPath(name)}`);
          if (answered.status === 200) expect(answered.json.name).toBe(name);
          else expect(answered.status).toBe(400);
        }),
        { seed: 5, numRuns: 500 },
      );
    }, 30_000);
  });

  describe('other routes', () => {
    test('pings are answered with and without an origin', async () => {
      const { ask } = make({ options: { offline: true } });
      for (const target of ['/npm/-/ping', '/npm/-/ping?write=true', '/npm/', '/npm']) {
        expect(await ask(target)).toMatchObject({ status: 200, text: '{}' });
      }
    });

    test.each(['/npm/-/whoami', '/npm/-/npm/v1/user', '/npm/-/npm/v1/tokens'])(
      '%s is a 401: nobody logs in here',
      async (target) => {
        const { status, json } = await make().ask(target);
        expect(status).toBe(401);
        expect(json.error).toContain('replica');
      },
    );

    test.each([
      ['PUT', '/npm/express'],
      ['PUT', '/npm/-/user/org.couchdb.user:me'],
      ['PUT', '/npm/-/package/express/dist-tags'],
      ['DELETE', '/npm/express/-rev/1-a'],
      ['PATCH', '/npm/express'],
      ['POST', '/npm/express'],
      ['POST', '/npm/-/v1/login'],
      ['OPTIONS', '/npm/express'],
    ])('%s %s is a 405 that says where to publish', async (method, target) => {
      const { ask, asked } = generous();
      const { status, json, headers } = await ask(target, { method });
      expect(status).toBe(405);
      expect(headers['allow']).toBe('GET, HEAD');
      expect(json.error).toContain('npm publish --registry https://registry.example.test');
      expect(asked()).toEqual([]);
    });

    test('advisories are asked by POST alone', async () => {
      const { status, headers } = await make().ask('/npm/-/npm/v1/security/advisories/bulk');
      expect(status).toBe(405);
      expect(headers['allow']).toBe('POST');
    });

    test.each(['/npm/-/npm/v1/security/audits', '/npm/-/npm/v1/security/audits/quick'])(
      'POST %s is gone',
      async (target) => {
        const { status, json } = await make().ask(target, { method: 'POST', body: new Uint8Array([1]) });
        expect(status).toBe(410);
        expect(json.error).toContain('advisories/bulk');
      },
    );

    test('another prefix moves all routes but the root ones', async () => {
      const { ask } = generous({ prefix: '/' });
      expect((await ask('/express')).status).toBe(200);
      expect((await ask('/-/ping')).status).toBe(200);
    });

    test.each(['npm', '/npm', 'npm/', '/a b/', '//'])('a prefix like %s is refused', (prefix) => {
      expect(() => make({ options: { prefix } })).toThrow(expect.objectContaining({ code: 'ERR_BAD_OPTION' }));
    });

    test('without a raw target the path of the URL is used', async () => {
      const { registry } = generous();
      const response = await registry.handle(new Request('http://replica.test/npm/@s%2fn'));
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({ name: '@s/n' });
    });
  });
});
