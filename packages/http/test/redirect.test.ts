import { type TransportRequest, withRedirects } from '@_all_docs/http';
import { describe, expect, it } from 'vitest';
import { answer, codeOf, script } from './_answers.ts';

const to = (location: string, status = 302) => answer(status, { location });
const url = 'https://origin.example/a/b';
const secrets = { authorization: 'Bearer secret', cookie: 'session=secret', accept: 'application/json' };

describe('withRedirects', () => {
  it.each([301, 302, 303, 307, 308])('follows a %d', async (status) => {
    const origin = script(to('/c?x=1', status), answer(200, {}, 'there'));
    const response = await withRedirects(origin)({ url, headers: secrets });
    expect(response.status).toBe(200);
    expect(origin.requests.map((request) => request.url)).toEqual([url, 'https://origin.example/c?x=1']);
    expect(origin.requests[1]?.headers).toEqual(secrets);
  });

  it('resolves a relative place', async () => {
    const origin = script(to('c'), to('//other.example/d'), answer());
    await withRedirects(origin)({ url });
    expect(origin.requests.map((request) => request.url).slice(1)).toEqual([
      'https://origin.example/a/c',
      'https://other.example/d',
    ]);
  });

  it('follows up to the limit and not further', async () => {
    const origin = script(...Array.from({ length: 5 }, () => to('/again')), answer(200));
    expect((await withRedirects(origin, 5)({ url })).status).toBe(200);
    const loop = script(to('/again'));
    expect(await codeOf(withRedirects(loop, 5)({ url }))).toBe('ERR_TOO_MANY_REDIRECTS');
    expect(loop.requests).toHaveLength(6);
    expect(await codeOf(withRedirects(script(to('/again')), 0)({ url }))).toBe('ERR_TOO_MANY_REDIRECTS');
  });

  it.each([
    ['another host', 'https://other.example/a'],
    ['another port', 'https://origin.example:8443/a'],
    ['a host that begins the same', 'https://origin.example.evil.example/a'],
    ['user info that looks like the host', 'https://origin.example@evil.example/a'],
  ])('drops credentials for %s', async (_, location) => {
    for (const headers of [
      secrets,
      { Authorization: 'Bearer secret', Cookie: 'session=secret', accept: 'application/json' },
    ]) {
      const origin = script(to(location), answer());
      await withRedirects(origin)({ url, headers });
      expect(origin.requests[1]?.headers).toEqual({ accept: 'application/json' });
    }
  });

  it('does not take credentials up again on the way back', async () => {
    const origin = script(to('https://other.example/a'), to(url), answer());
    await withRedirects(origin)({ url, headers: secrets });
    expect(origin.requests[2]?.headers).toEqual({ accept: 'application/json' });
  });

  it.each(['http://origin.example/a', 'ftp://origin.example/a', 'file:///etc/passwd', 'data:,x', 'https://'])(
    'refuses to go to %s',
    async (location) => {
      const origin = script(to(location), answer());
      expect(await codeOf(withRedirects(origin)({ url }))).toBe('ERR_BAD_URL');
      expect(origin.requests).toHaveLength(1);
    },
  );

  it('lets http become https', async () => {
    const origin = script(to('https://origin.example/a'), answer());
    await withRedirects(origin)({ url: 'http://origin.example/a', headers: secrets });
    expect(origin.requests[1]?.url).toBe('https://origin.example/a');
    expect(origin.requests[1]?.headers).toEqual({ accept: 'application/json' });
  });

  it('hands over what is no redirect, and every answer to a POST', async () => {
    for (const response of [
      answer(304),
      answer(300, { location: '/c' }),
      answer(302),
      answer(404, { location: '/c' }),
    ]) {
      expect(await withRedirects(script(response))({ url })).toBe(response);
    }
    const origin = script(to('/c', 307));
    expect((await withRedirects(origin)({ url, method: 'POST' })).status).toBe(307);
  });

  it('keeps method and signal', async () => {
    const origin = script(to('/c'), answer());
    const { signal } = new AbortController();
    const request: TransportRequest = { url, method: 'HEAD', signal };
    await withRedirects(origin)(request);
    expect(origin.requests[1]).toMatchObject({ method: 'HEAD', signal });
  });
});
