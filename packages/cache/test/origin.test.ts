import { createPackumentKey, decodeCacheKey, encodeOrigin, normalizeOrigin } from '@_all_docs/cache';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from './_errors.ts';

fc.configureGlobal({ seed: 20250601 });

const npmHost = (first: string, top: string) => [first, 'npmjs', top].join('.');

/** URLs that differ in every part that may tell two registries apart. */
const origins = fc
  .record({
    scheme: fc.constantFrom('http', 'https', 'HTTPS'),
    host: fc.constantFrom('h.example', 'H.Example', 'other.example', 'h.example.', '127.0.0.1', '[::1]', 'a-b', 'a'),
    port: fc.constantFrom('', ':80', ':443', ':4873', ':8080'),
    path: fc.constantFrom(
      '',
      '/',
      '//',
      '/a',
      '/a/',
      '/a//',
      '/A',
      '/a/b',
      '/a%2Fb',
      '/a%2fb',
      '/a:b',
      '/a%3Ab',
      '/~x/(y)',
      '/%25',
    ),
    search: fc.constantFrom('', '?', '?q=1', '?q=2', '?q=/'),
  })
  .map(({ scheme, host, port, path, search }) => `${scheme}://${host}${port}${path}${search}`);

/** One spelling per registry, by the URL standard alone: at most one trailing slash of the path means nothing. */
function identity(origin: string): string {
  const { protocol, host, pathname, search } = new URL(origin);
  const path = pathname.endsWith('//') ? pathname : pathname.replace(/\/$/, '');
  return JSON.stringify([protocol, host, path, search]);
}

describe('encodeOrigin', () => {
  it('is injective over ports, paths, schemes, case and slashes', () => {
    fc.assert(
      fc.property(origins, origins, (a, b) => {
        expect(encodeOrigin(a) === encodeOrigin(b)).toBe(identity(a) === identity(b));
      }),
      { numRuns: 1000 },
    );
  });

  it('has no colon, and comes back through a key', () => {
    fc.assert(
      fc.property(origins, (origin) => {
        expect(encodeOrigin(origin)).not.toContain(':');
        const key = createPackumentKey('a', origin);
        const decoded = decodeCacheKey(key);
        expect(decoded.origin).toBe(normalizeOrigin(origin));
        expect(createPackumentKey('a', decoded.origin)).toBe(key);
      }),
    );
  });

  it.each([
    `https://${npmHost('registry', 'org')}`,
    `https://${npmHost('registry', 'org')}/`,
    `http://${npmHost('registry', 'com')}`,
    `https://${npmHost('replicate', 'com')}`,
    `https://${npmHost('replicate', 'com')}/registry/`,
    `https://${npmHost('REGISTRY', 'org').toUpperCase()}:443/`,
    'npm',
  ])('gives npm for the hosts of npm: %s', (origin) => {
    expect(encodeOrigin(origin)).toBe('npm');
  });

  it.each([
    `https://${npmHost('www', 'com')}`,
    `https://${npmHost('registry', 'org')}.evil.example`,
    `https://evil-${npmHost('registry', 'org')}`,
    `https://${npmHost('registry', 'org')}:8443`,
    `https://${npmHost('registry', 'org')}/mirror`,
    `https://${npmHost('registry', 'org')}/?x`,
    `https://evil.example/${npmHost('registry', 'org')}`,
    `https://x.${npmHost('registry', 'org')}`,
    `https://${npmHost('registry', 'dev')}`,
    `https://${npmHost('registry', 'org')}@evil.example`,
  ])('does not give npm for others: %s', (origin) => {
    expect(encodeOrigin(origin)).not.toBe('npm');
  });
});

describe('normalizeOrigin', () => {
  it('keeps no credentials, fragment, default port or single trailing slash', () => {
    expect(normalizeOrigin('HTTPS://user:secret@H.Example:443/a/#top')).toBe('https://h.example/a');
    expect(encodeOrigin('https://user:secret@h.example')).toBe(encodeOrigin('https://h.example'));
    expect(normalizeOrigin('npm')).toBe('npm');
  });

  it('is idempotent', () => {
    fc.assert(
      fc.property(
        origins,
        (origin) => void expect(normalizeOrigin(normalizeOrigin(origin))).toBe(normalizeOrigin(origin)),
      ),
    );
  });

  it.each(['', 'h.example', '/a', 'ftp://h.example', 'file:///a', 'data:,x', 'NPM', ' ', 'https://'])(
    'refuses %j with ERR_BAD_ORIGIN',
    async (origin) => {
      expect(await codeOf(() => normalizeOrigin(origin))).toBe('ERR_BAD_ORIGIN');
      expect(await codeOf(() => createPackumentKey('a', origin))).toBe('ERR_BAD_ORIGIN');
    },
  );
});
