import { describe, expect, test } from 'vitest';
import { ABBREVIATED, documentOf, FULL, replica } from './_replica.ts';

const CANONICAL = 'https://registry.example.test/@s/n/-/n-1.0.0.tgz';

async function tarballs(options: object, headers: Record<string, string> = {}) {
  const { ask, hold } = replica({ options });
  await hold(documentOf('@s/n'));
  const urls = [];
  for (const accept of [FULL, ABBREVIATED]) {
    const { status, json } = await ask('/npm/@s%2fn', { headers: { accept, ...headers } });
    expect(status).toBe(200);
    urls.push(json.versions['1.0.0'].dist.tarball);
  }
  urls.push((await ask('/npm/@s%2fn/latest', { headers })).json.dist.tarball);
  expect(new Set(urls).size).toBe(1);
  return urls[0];
}

const npm = { 'user-agent': 'npm/11.19.1 node/v24.0.0 linux x64' };
const pnpm = { 'user-agent': 'pnpm/11.0.0 npm/? node/v24.0.0' };

describe('whose URLs a client gets', () => {
  test('origin: as the origin wrote them, for everybody', async () => {
    expect(await tarballs({ tarballHost: 'origin' }, pnpm)).toBe(CANONICAL);
    expect(await tarballs({ tarballHost: 'origin', publicUrl: 'https://mirror.test' }, npm)).toBe(CANONICAL);
  });

  test('self: ours, for everybody', async () => {
    for (const headers of [npm, pnpm, {}]) {
      expect(await tarballs({ tarballHost: 'self' }, headers)).toBe('http://replica.test/npm/@s/n/-/n-1.0.0.tgz');
    }
  });

  test('auto: as written for user agents that begin with npm/, ours for all others', async () => {
    expect(await tarballs({ tarballHost: 'auto' }, npm)).toBe(CANONICAL);
    for (const headers of [pnpm, {}, { 'user-agent': 'yarn/4 npm/? node/v24' }, { 'user-agent': 'NPM/11' }]) {
      expect(await tarballs({ tarballHost: 'auto' }, headers)).toBe('http://replica.test/npm/@s/n/-/n-1.0.0.tgz');
    }
  });

  test('unless told it is self for a registry other than the public one: npm swaps no other host', async () => {
    expect(await tarballs({}, npm)).toBe('http://replica.test/npm/@s/n/-/n-1.0.0.tgz');
  });
});

describe('where we are', () => {
  test.each([
    ['https://mirror.test', 'https://mirror.test/npm/'],
    ['https://mirror.test/', 'https://mirror.test/npm/'],
    ['https://mirror.test/npm/', 'https://mirror.test/npm/'],
    ['https://mirror.test/npm', 'https://mirror.test/npm/'],
    ['https://mirror.test:8443/a/b', 'https://mirror.test:8443/a/b/npm/'],
  ])('a public URL %s gives %s, whatever the Host header says', async (publicUrl, base) => {
    for (const host of ['evil.test', 'not a host', '']) {
      expect(await tarballs({ tarballHost: 'self', publicUrl }, { host })).toBe(`${base}@s/n/-/n-1.0.0.tgz`);
    }
  });

  test.each([
    'mirror.test',
    'ftp://mirror.test',
    'https://user:pw@mirror.test',
    'https://mirror.test/?x',
    'https://mirror.test/#x',
    '',
  ])('a public URL like %s is refused', (publicUrl) => {
    expect(() => replica({ options: { publicUrl } })).toThrow(expect.objectContaining({ code: 'ERR_BAD_OPTION' }));
  });

  test.each([
    ['replica.test', 'replica.test'],
    ['Replica.TEST:8080', 'replica.test:8080'],
    ['127.0.0.1:4873', '127.0.0.1:4873'],
    ['[::1]:8080', '[::1]:8080'],
    ['my_registry:80', 'my_registry:80'],
    ['replica.test.', 'replica.test.'],
  ])('without one the Host header %s is the base', async (host, written) => {
    expect(await tarballs({ tarballHost: 'self' }, { host })).toBe(`http://${written}/npm/@s/n/-/n-1.0.0.tgz`);
    expect(await tarballs({ tarballHost: 'self', scheme: 'https' }, { host })).toBe(
      `https://${written}/npm/@s/n/-/n-1.0.0.tgz`,
    );
  });

  test.each([
    'evil.test/x',
    'evil.test/npm/@s/n/-/n-1.0.0.tgz?',
    'user@evil.test',
    'user:pw@evil.test',
    'evil.test#',
    'evil.test?x',
    'a b',
    'a,b',
    'a"b',
    'a\\b',
    '-a',
    '.a',
    'a.test:',
    'a.test:0',
    'a.test:65536',
    'a.test:80:80',
    'a.test:x',
    '[::1',
    '[evil.test]',
    'http://evil.test',
    `${'a'.repeat(300)}.test`,
    '<script>',
    '',
  ])('a Host header %j is refused where it would be written into a document', async (host) => {
    const { ask, hold, origin } = replica({ options: { tarballHost: 'self' } });
    await hold(documentOf('@s/n'));
    expect((await ask('/npm/other', { headers: { host } })).status).toBe(400);
    expect(origin.asked()).toBe(0);
    const { status, json, text } = await ask('/npm/@s%2fn', { headers: { host } });
    expect([status, json.code]).toEqual([400, 'ERR_BAD_HOST']);
    expect(text).not.toContain('evil');
  });
});

test('nothing that one client sends reaches the answer of another', async () => {
  const { ask, hot, hold } = replica({ options: { tarballHost: 'self' } });
  await hold(documentOf('@s/n'));
  const evil = {
    host: 'evil.test',
    'x-forwarded-host': 'worse.test',
    'x-forwarded-proto': 'gopher',
    'x-forwarded-prefix': '/worse',
    forwarded: 'host=worse.test;proto=gopher',
    'x-original-url': '/worse',
    'x-rewrite-url': '/worse',
  };
  for (const accept of [FULL, ABBREVIATED]) {
    for (const coding of ['gzip', 'identity']) {
      const headers = { accept, 'accept-encoding': coding };
      const theirs = await ask('/npm/@s%2fn', { headers: { ...headers, ...evil } });
      expect(theirs.text).not.toContain('worse');
      const ours = await ask('/npm/@s%2fn', { headers });
      expect(ours.text).not.toContain('evil');
      expect(ours.text).toContain('http://replica.test/npm/');
      expect(theirs.headers['etag']).not.toBe(ours.headers['etag']);
      expect(
        (await ask('/npm/@s%2fn', { headers: { ...headers, 'if-none-match': theirs.headers['etag'] as string } }))
          .status,
      ).toBe(200);
      expect(hot('/npm/@s%2fn', { headers })?.body).toEqual(new Uint8Array(ours.body));
    }
  }
});
