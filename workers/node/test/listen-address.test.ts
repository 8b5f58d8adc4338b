import { parseListen } from '@_all_docs/worker-node/serve';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';
import { urlOf } from '../src/server/listen-address.ts';

describe('an address to listen at', () => {
  it.each([
    ['127.0.0.1:8080', '127.0.0.1', 8080, 'http://127.0.0.1:8080'],
    [':8080', undefined, 8080, 'http://127.0.0.1:8080'],
    ['0.0.0.0:80', '0.0.0.0', 80, 'http://127.0.0.1:80'],
    ['localhost:0', 'localhost', 0, 'http://localhost:0'],
    ['[::1]:8080', '::1', 8080, 'http://[::1]:8080'],
    ['[::]:8080', '::', 8080, 'http://127.0.0.1:8080'],
    ['npm.example.test:65535', 'npm.example.test', 65_535, 'http://npm.example.test:65535'],
  ])('%s', (text, host, port, url) => {
    expect(parseListen(text)).toEqual({ host, port });
    expect(urlOf(parseListen(text))).toBe(url);
  });

  it.each([
    '',
    '8080',
    'localhost',
    'localhost:',
    ':65536',
    ':-1',
    ':x',
    '::1:8080',
    '[::1]',
    'http://localhost:80',
    'a b:80',
  ])('%j is none: ERR_BAD_LISTEN, and the message says what is', async (text) => {
    expect(await codeOf(async () => parseListen(text))).toBe('ERR_BAD_LISTEN');
    expect(() => parseListen(text)).toThrow(/HOST:PORT/);
  });
});
