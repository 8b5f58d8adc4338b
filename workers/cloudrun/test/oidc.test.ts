import { createGoogleKeys, createOidcCheck } from '@_all_docs/worker-cloudrun';
import { describe, expect, it } from 'vitest';
import { AUDIENCE, createIssuer, EMAIL } from './_tokens.ts';

const google = createIssuer();
const clock = { now: () => Date.now() };
const check = createOidcCheck({ audience: AUDIENCE, email: EMAIL, keys: async () => [google.key], clock });
const now = Math.floor(Date.now() / 1000);

describe('the check of pushed work', () => {
  it("passes Google's token for this service and account", async () => {
    expect(await check(`Bearer ${google.token()}`)).toBeUndefined();
    expect(await check(`bearer ${google.token({ iss: 'accounts.google.com' })}`)).toBeUndefined();
  });

  it.each([
    ['no token', undefined, 401],
    ['another scheme', 'Basic eDp5', 401],
    ['what is no token', 'Bearer abc', 401],
    ['what is no JSON', 'Bearer YQ.YQ.YQ', 401],
    ['no signature', `Bearer ${google.token().split('.').slice(0, 2).join('.')}.`, 401],
    ['alg none', `Bearer ${google.token({}, { alg: 'none' })}`, 401],
    ['a symmetric alg', `Bearer ${google.token({}, { alg: 'HS256' })}`, 401],
    ['an unknown key', `Bearer ${google.token({}, { kid: 'other' })}`, 401],
    ["somebody else's signature", `Bearer ${createIssuer().token()}`, 401],
    ['another issuer', `Bearer ${google.token({ iss: 'https://accounts.example.test' })}`, 401],
    ['an expired token', `Bearer ${google.token({ exp: now - 120 })}`, 401],
    ['no expiry', `Bearer ${google.token({ exp: undefined })}`, 401],
    ['the future', `Bearer ${google.token({ iat: now + 600 })}`, 401],
    ['another audience', `Bearer ${google.token({ aud: 'https://other.example.test' })}`, 403],
    ['a list of audiences', `Bearer ${google.token({ aud: [AUDIENCE] })}`, 403],
    ['another account', `Bearer ${google.token({ email: 'other@project.example.test' })}`, 403],
    ['an account that is not verified', `Bearer ${google.token({ email_verified: false })}`, 403],
  ])('refuses %s', async (_, authorization, status) => {
    expect(await check(authorization)).toMatchObject({ status });
  });

  it('refuses claims that were changed after they were signed', async () => {
    const [head, , signature] = google.token().split('.');
    const claims = google.token({ sub: 'other' }).split('.')[1];
    expect(await check(`Bearer ${head}.${claims}.${signature}`)).toMatchObject({ status: 401 });
  });
});

describe("Google's keys", () => {
  const answer = (keys: object[]) => Response.json({ keys }, { headers: { 'cache-control': 'public, max-age=3600' } });

  it('are kept as long as their answer says, and asked for anew for one that is not known, at most once a minute', async () => {
    let time = 0;
    let asked = 0;
    const keys = createGoogleKeys({ now: () => time }, async () => {
      asked += 1;
      return answer([google.key]);
    });
    await Promise.all([keys(false), keys(false), keys(true)]);
    expect(asked).toBe(1);
    time += 59_000;
    await keys(true);
    expect(asked).toBe(1);
    time += 2_000;
    await keys(true);
    expect(asked).toBe(2);
    time += 3_599_000;
    await keys(false);
    expect(asked).toBe(2);
    time += 2_000;
    await keys(false);
    expect(asked).toBe(3);
  });

  it('that cannot be had let nobody pass, and are asked for again', async () => {
    let isDown = true;
    const keys = createGoogleKeys(clock, async () =>
      isDown ? new Response('', { status: 503 }) : answer([google.key]),
    );
    const strict = createOidcCheck({ audience: AUDIENCE, email: EMAIL, keys, clock });
    await expect(strict(`Bearer ${google.token()}`)).rejects.toThrow('503');
    isDown = false;
    expect(await strict(`Bearer ${google.token()}`)).toBeUndefined();
  });
});
