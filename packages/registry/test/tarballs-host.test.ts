import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';
import { answer, bytesOf, distFor, originOf, sceneOf, settle } from './_tarballs.ts';

const BYTES = 'the bytes of a tarball';
const redirect = (location: string) => answer('', { location }, 302);

function sceneAt(tarball: string, options: { registry?: string; allowedHosts?: string[] } = {}) {
  const streaming = originOf(() => answer(BYTES));
  const { registry = 'https://registry.example.test/', allowedHosts } = options;
  const scene = sceneOf({ streaming, dist: distFor(BYTES, { tarball }), allowedHosts, env: { registry } });
  return { ...scene, streaming };
}

/** The public registry's host, of which no text here has the name. */
const PUBLIC = ['registry', 'npmjs', 'org'].join('.');

describe('a tarball at the public registry', () => {
  it.each([
    [`https://${PUBLIC}/a/-/a-1.0.0.tgz`, 'https://mirror.example.test/npm/a/-/a-1.0.0.tgz'],
    [`http://${PUBLIC}/a/-/a-1.0.0.tgz`, 'https://mirror.example.test/npm/a/-/a-1.0.0.tgz'],
    [`https://${PUBLIC.toUpperCase()}/@a%2fb/-/b.tgz?x=1`, 'https://mirror.example.test/npm/@a%2fb/-/b.tgz?x=1'],
  ])('is asked from the mirror whose document names it: %s', async (tarball, asked) => {
    const { open, streaming } = sceneAt(tarball, { registry: 'https://mirror.example.test/npm/' });
    expect(Buffer.from(await bytesOf((await open())?.stream())).toString()).toBe(BYTES);
    expect(streaming.requests.map(({ url }) => url)).toEqual([asked]);
  });

  it('is asked there where that was allowed, or is the registry', async () => {
    const tarball = `https://${PUBLIC}/a/-/a-1.0.0.tgz`;
    for (const options of [
      { registry: 'https://mirror.example.test', allowedHosts: [PUBLIC] },
      { registry: `https://${PUBLIC}/` },
    ]) {
      const { open, streaming } = sceneAt(tarball, options);
      await bytesOf((await open())?.stream());
      expect(streaming.requests.map(({ url }) => url)).toEqual([tarball]);
    }
  });

  it.each([
    `https://${PUBLIC}:8443/a.tgz`,
    `https://${PUBLIC}.evil.example/a.tgz`,
    `https://evil-${PUBLIC}/a.tgz`,
    `https://user@${PUBLIC}/a.tgz`,
    `ftp://${PUBLIC}/a.tgz`,
  ])('is not what only looks like it: %s', async (tarball) => {
    const { open, streaming } = sceneAt(tarball, { registry: 'https://mirror.example.test' });
    expect(await codeOf(open)).toBe('ERR_FORBIDDEN_HOST');
    expect(streaming.requests).toEqual([]);
  });
});

describe('a tarball is not fetched from', () => {
  it.each([
    'http://127.0.0.1/a.tgz',
    'http://127.0.0.1:8080/a.tgz',
    'http://127.1/a.tgz',
    'http://2130706433/a.tgz',
    'http://0x7f000001/a.tgz',
    'http://localhost/a.tgz',
    'http://[::1]/a.tgz',
    'http://[::ffff:127.0.0.1]/a.tgz',
    'http://0.0.0.0/a.tgz',
    'http://169.254.169.254/latest/meta-data/a.tgz',
    'http://10.0.0.1/a.tgz',
    'https://other-registry.example.test/a/-/a-1.0.0.tgz',
    'https://example.test/a.tgz',
    'https://registry.example.test.evil.example/a.tgz',
    'https://evil-registry.example.test/a.tgz',
    'https://registry.example.test:8443/a.tgz',
    'https://registry.example.test@169.254.169.254/a.tgz',
    'https://user:secret@registry.example.test/a.tgz',
    'https://@registry.example.test/a.tgz',
    'https://registry.example.test\\@169.254.169.254/a.tgz',
    'https://169.254.169.254\\@registry.example.test/a.tgz',
    'https://169.254.169.254#@registry.example.test/a.tgz',
    'https://169.254.169.254?@registry.example.test/a.tgz',
    'https:/registry.example.test/a.tgz',
    'https:\\\\registry.example.test/a.tgz',
    '//registry.example.test/a.tgz',
    '/a/-/a-1.0.0.tgz',
    'a-1.0.0.tgz',
    'file:///etc/passwd',
    'ftp://registry.example.test/a.tgz',
    'data:application/octet-stream,abc',
    'javascript:1',
    ' https://registry.example.test/a.tgz',
    'https://registry.example.test\t/a.tgz',
    'https://regi\nstry.example.test/a.tgz',
    'https://registry。example.test/a.tgz',
    'https://registry%2eexample.test/a.tgz',
    '',
  ])('%j: ERR_FORBIDDEN_HOST, and nobody is asked', async (url) => {
    const { open, streaming, blobs } = sceneAt(url);
    expect(await codeOf(open)).toBe('ERR_FORBIDDEN_HOST');
    expect(streaming.requests).toEqual([]);
    expect(await blobs()).toBe(0);
  });

  it('any host that was not allowed, whatever the URL looks like', async () => {
    const allowed = new Set(['registry.example.test', 'cdn.example.test']);
    const part = fc.constantFrom(
      ...['https:', 'http:', '//', '/', '\\', '@', ':', '#', '?', '.', '%2f', '%40', ' ', '\t', '443', '80'],
      ...['registry.example.test', 'cdn.example.test', 'evil.example', '127.0.0.1', '[::1]', 'user', 'a.tgz'],
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 9 }), async (parts) => {
        const { open, streaming } = sceneAt(`https://${parts.join('')}`, { allowedHosts: ['cdn.example.test'] });
        const code = await codeOf(open);
        await settle();
        for (const { url } of streaming.requests) {
          // As a client would read it, whichever library it has.
          const { hostname, username } = new URL(url);
          expect(allowed.has(hostname)).toBe(true);
          expect(username).toBe('');
          expect(allowed.has(/^https?:\/\/([^/:?#\\@]*)(:\d*)?(?=[/?#]|$)/.exec(url)?.[1] ?? '')).toBe(true);
        }
        expect(code === undefined || code === 'ERR_FORBIDDEN_HOST').toBe(true);
      }),
      { seed: 3, numRuns: 600 },
    );
  });

  it.each([
    'https://127.0.0.1:9/a.tgz',
    'https://169.254.169.254/a.tgz',
    'https://other.example.test/a.tgz',
    '//169.254.169.254/a.tgz',
    'https://registry.example.test@169.254.169.254/a.tgz',
  ])('%j by a redirect', async (location) => {
    const streaming = originOf(redirect(location), answer(BYTES));
    const { open } = sceneOf({ streaming, dist: distFor(BYTES) });
    expect(await codeOf(open)).toBe('ERR_FORBIDDEN_HOST');
    expect(streaming.requests).toHaveLength(1);
  });

  it('an internal address by a redirect from a registry that is asked by http', async () => {
    const streaming = originOf(redirect('http://169.254.169.254/a.tgz'), answer(BYTES));
    const dist = distFor(BYTES, { tarball: 'http://registry.example.test/a.tgz' });
    const { open } = sceneOf({ streaming, dist, env: { registry: 'http://registry.example.test' } });
    expect(await codeOf(open)).toBe('ERR_FORBIDDEN_HOST');
    expect(streaming.requests).toHaveLength(1);
  });

  it('http by a redirect from https, nor for ever round and round', async () => {
    const down = sceneOf({ streaming: originOf(redirect('http://registry.example.test/a.tgz')), dist: distFor(BYTES) });
    expect(await codeOf(down.open)).toBe('ERR_BAD_URL');
    const streaming = originOf(() => redirect('https://registry.example.test/npm/again.tgz'));
    const round = sceneOf({ streaming, dist: distFor(BYTES) });
    expect(await codeOf(round.open)).toBe('ERR_TOO_MANY_REDIRECTS');
    expect(streaming.requests).toHaveLength(6);
  });
});

describe('a tarball is fetched from', () => {
  it.each([
    ['https://registry.example.test/a/-/a-1.0.0.tgz'],
    ['https://registry.example.test:443/a/-/a-1.0.0.tgz', 'https://registry.example.test/a/-/a-1.0.0.tgz'],
    ['HTTPS://Registry.Example.TEST/a/-/A.tgz', 'https://registry.example.test/a/-/A.tgz'],
    ['http://registry.example.test/a/-/a-1.0.0.tgz', 'https://registry.example.test/a/-/a-1.0.0.tgz'],
    ['https://registry.example.test/@x%2f../-/..-1.0.0.tgz'],
    ['https://registry.example.test/a/../b%20c.tgz?token=1'],
  ])("the registry's own host, by the path as it is written: %s", async (url, asked = url) => {
    const { open, streaming } = sceneAt(url);
    await bytesOf((await open())?.stream());
    expect(streaming.requests.map((request) => request.url)).toEqual([asked]);
  });

  it('hosts that were allowed by name, port included', async () => {
    const allowedHosts = ['CDN.example.test', 'files.example.test:8080'];
    for (const url of ['https://cdn.example.test/a.tgz', 'http://files.example.test:8080/a.tgz']) {
      const { open, streaming } = sceneAt(url, { allowedHosts });
      expect((await bytesOf((await open())?.stream())).toString()).toBe(BYTES);
      expect(streaming.requests[0]?.url).toBe(url);
    }
    expect(await codeOf(sceneAt('http://files.example.test/a.tgz', { allowedHosts }).open)).toBe('ERR_FORBIDDEN_HOST');
  });

  it('a registry on a port of this machine, when that is the registry', async () => {
    const { open, streaming } = sceneAt('http://127.0.0.1:4873/a/-/a.tgz', { registry: 'http://127.0.0.1:4873/' });
    await bytesOf((await open())?.stream());
    expect(streaming.requests).toHaveLength(1);
    const other = sceneAt('http://127.0.0.1:4874/a/-/a.tgz', { registry: 'http://127.0.0.1:4873/' });
    expect(await codeOf(other.open)).toBe('ERR_FORBIDDEN_HOST');
  });

  it('where a redirect within the allowed hosts leads', async () => {
    const streaming = originOf(redirect('https://cdn.example.test/x.tgz'), redirect('/y.tgz'), answer(BYTES));
    const { open } = sceneOf({ streaming, dist: distFor(BYTES), allowedHosts: ['cdn.example.test'] });
    expect((await bytesOf((await open())?.stream())).toString()).toBe(BYTES);
    expect(streaming.requests.map(({ url }) => url).slice(1)).toEqual([
      'https://cdn.example.test/x.tgz',
      'https://cdn.example.test/y.tgz',
    ]);
  });
});
