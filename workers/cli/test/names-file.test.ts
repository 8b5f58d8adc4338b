import { describe, expect, it } from 'vitest';
import { parseNames } from '../src/selection/names-file.ts';

describe('parseNames', () => {
  it.each<[string, string, string[]]>([
    ['one a line', 'a\nb\n', ['a', 'b']],
    ['the last without an end', 'a\nb', ['a', 'b']],
    ['Windows line ends', 'a\r\nb\r\n', ['a', 'b']],
    ['comments and blank lines', '# all\n\na\n  # more\n\tb \n', ['a', 'b']],
    ['scoped names', '@a/b\n@x/..\n', ['@a/b', '@x/..']],
    ['names as paths', '/a\n/@a%2fb\n', ['a', '@a/b']],
    ['a JSON array', ' ["a", "@a/b"]', ['a', '@a/b']],
    ['nasty names', "-\n~'!()*\n__proto__\nnaïve-日本\n", ['-', "~'!()*", '__proto__', 'naïve-日本']],
    ['a byte order mark', '\ufeffa\nb\n', ['a', 'b']],
  ])('%s', (_title, text, names) => {
    expect(parseNames(text, 'names.txt')).toEqual(names);
  });

  it.each<[string, string, string]>([
    ['nothing', '', 'ERR_BAD_NAMES'],
    ['comments only', '# a\n', 'ERR_BAD_NAMES'],
    ['an empty array', '[]', 'ERR_BAD_NAMES'],
    ['half an array', '["a"', 'ERR_BAD_NAMES'],
    ['numbers', '[1]', 'ERR_BAD_NAMES'],
    ['a path', 'a/b\n', 'ERR_BAD_NAME'],
    ['a scope', '@a\n', 'ERR_BAD_NAME'],
    ['dots', '..\n', 'ERR_BAD_NAME'],
    ['a broken escape', '%zz\n', 'ERR_BAD_NAME'],
  ])('refuses %s', (_title, text, code) => {
    expect(() => parseNames(text, 'names.txt')).toThrow(expect.objectContaining({ code }));
  });
});
