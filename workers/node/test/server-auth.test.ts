import { authorizer, readBearerTokens } from '@_all_docs/worker-node/serve';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';
import { temporaryDirectory } from './_directory.js';
import { start } from './_server.js';

const asked = {
  handle: async () => new Response('here'),
  hot: (_: string, target: string) =>
    target === '/npm/hot' ? { status: 200, headers: [], body: Buffer.from('hot') } : undefined,
};
const ask = (url: string, authorization?: string) =>
  fetch(url, authorization === undefined ? {} : { headers: { authorization } });

describe('with a token', () => {
  it.each(['/npm/a', '/npm/hot', '/metrics', '/-/status.json', '/a/-/a-1.0.0.tgz'])(
    '%s is answered to those who have it',
    async (path) => {
      const { url } = await start(asked, { authorize: authorizer(['s3cret']) });
      expect((await ask(url + path, 'Bearer s3cret')).status).toBe(200);
      expect((await ask(url + path, 'bearer   s3cret')).status).toBe(200);
      for (const wrong of [
        undefined,
        '',
        'Bearer',
        'Bearer ',
        'Bearer s3cre',
        'Bearer s3cret2',
        'Bearer S3CRET',
        's3cret',
        'Basic czNjcmV0',
        'Bearer s3cret, Bearer x',
      ]) {
        const response = await ask(url + path, wrong);
        expect([wrong, response.status, response.headers.get('www-authenticate')]).toEqual([
          wrong,
          401,
          'Bearer realm="_all_docs"',
        ]);
        expect(await response.json()).toEqual({ code: 'ERR_UNAUTHORIZED', error: expect.stringMatching(/_authToken/) });
      }
    },
  );

  it.each(['/health', '/livez', '/readyz'])('%s needs none', async (path) => {
    const { url } = await start(asked, { authorize: authorizer(['s3cret']) });
    expect((await ask(url + path)).status).toBe(200);
    expect((await ask(`${url + path}/-/x-1.0.0.tgz`)).status).toBe(401);
  });
});

describe('a file of tokens', () => {
  const file = async (text: string) => {
    const path = join(await temporaryDirectory(), 'tokens');
    await writeFile(path, text);
    return path;
  };

  it('has one a line, each of which passes', async () => {
    const authorize = readBearerTokens(await file('new-token\r\n\nold/token==\n'));
    expect(['new-token', 'old/token==', 'other', ''].map((token) => authorize(`Bearer ${token}`))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it.each([
    ['is empty', ''],
    ['has only blank lines', '\n \n'],
    ['has a token with a space', 'good\nbad token\n'],
    ['is binary', '\0\x01'],
  ])('that %s is ERR_BAD_TOKEN_FILE, and the message holds no line of it', async (_, text) => {
    const path = await file(text);
    expect(await codeOf(async () => readBearerTokens(path))).toBe('ERR_BAD_TOKEN_FILE');
    expect(() => readBearerTokens(path)).not.toThrow(/good|bad token/);
  });

  it('that is not there is ERR_BAD_TOKEN_FILE', async () => {
    expect(await codeOf(async () => readBearerTokens('/nowhere/at/all'))).toBe('ERR_BAD_TOKEN_FILE');
  });
});
