import { createPackumentKey } from '@_all_docs/cache';
import { packumentPath, parsePackageName } from '@_all_docs/packument';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';
import { NASTY_NAMES } from '../../../test/fake-origin/nasty.ts';

fc.configureGlobal({ seed: 20250601 });

/** Names that exist, or may exist, and hurt; and some that a URL would take apart. */
const NASTY = [...NASTY_NAMES, '@x/.', 'a b', 'a&b=c', 'a+b', 'a?b', 'a#b', '@a@b/c@d'];

describe('parsePackageName', () => {
  it.each([
    ['express', 'express'],
    ['/express', 'express'],
    ['@scope/name', '@scope/name'],
    ['/@scope/name', '@scope/name'],
    ['/@scope%2fname', '@scope/name'],
    ['/@scope%2Fname', '@scope/name'],
    ['@scope%2fname', '@scope/name'],
    ['/%40scope%2Fname', '@scope/name'],
    ['/na%C3%AFve-%E6%97%A5%E6%9C%AC', 'naïve-日本'],
    ['/@explodingcabbage%2f..', '@explodingcabbage/..'],
  ])('%s is %s', (path, name) => {
    expect(parsePackageName(path)).toBe(name);
  });

  it.each(NASTY)('takes %s as it is, bare, in a path and encoded', (name) => {
    for (const path of [name, `/${name}`, packumentPath(name), `/${encodeURIComponent(name)}`])
      expect(parsePackageName(path)).toBe(name);
  });

  it.each([
    '',
    '/',
    '.',
    '..',
    '/..',
    '//express',
    'express/',
    'a/b',
    'a/b/c',
    'a%2fb',
    '@',
    '@/',
    '@a',
    '@a/',
    '@/b',
    '@a/b/c',
    '@a//b',
    '@a%2fb%2fc',
    '../express',
    '%2e%2e',
    '/%2e%2e%2fexpress',
    'a\\b',
    '@a\\b',
    'a\nb',
    'a\0b',
    'a%00b',
    'a%0ab',
    'a\x7f',
    '\ud800',
    '%',
    '%zz',
    '%ff',
    '%ed%a0%80',
    '_design/app',
  ])('%j is ERR_BAD_NAME', async (path) => {
    expect(await codeOf(() => parsePackageName(path))).toBe('ERR_BAD_NAME');
  });

  it.each(['a%25b', '%2561', '/@a%2f%2525'])(
    '%j is ERR_BAD_NAME: no name holds a percent sign, so nothing is decoded twice',
    async (path) => {
      expect(await codeOf(() => parsePackageName(path))).toBe('ERR_BAD_NAME');
    },
  );

  it.each([undefined, null, 5])('%j is ERR_BAD_NAME', async (path) => {
    expect(await codeOf(() => parsePackageName(path as unknown as string))).toBe('ERR_BAD_NAME');
  });

  it('gives a name that stays the same when it is taken for a path again', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom('a', '@', '/', '%', '%2f', '%2F', '%25', '%40', '.', '-', 'é', '\u{1f600}'),
          maxLength: 8,
        }),
        (path) => {
          let name: string;
          try {
            name = parsePackageName(path);
          } catch (error) {
            expect(error).toMatchObject({ code: 'ERR_BAD_NAME' });
            return;
          }
          expect(parsePackageName(name)).toBe(name);
          expect(parsePackageName(packumentPath(name))).toBe(name);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('packumentPath', () => {
  it.each([
    ['express', '/express'],
    ['@a/b', '/@a%2fb'],
    ['@explodingcabbage/..', '/@explodingcabbage%2f..'],
    ['naïve', '/na%C3%AFve'],
    ['a?b#c', '/a%3Fb%23c'],
    ["~'!()*", "/~'!()*"],
    ['@a@b/c', '/@a%40b%2fc'],
  ])('%s at %s', (name, path) => {
    expect(packumentPath(name)).toBe(path);
  });

  it('never gives two names one path, or one key', () => {
    expect(new Set(NASTY.map(packumentPath)).size).toBe(NASTY.length);
    expect(new Set(NASTY.map((name) => createPackumentKey(name))).size).toBe(NASTY.length);
    for (const name of NASTY) expect(packumentPath(name)).toMatch(/^\/[^/?#\s]+$/);
  });
});
