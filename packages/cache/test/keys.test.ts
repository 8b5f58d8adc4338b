import {
  compareBytes,
  createAbbreviatedKey,
  createPackumentKey,
  createPackumentPrefix,
  createPartitionKey,
  createPartitionPrefix,
  decodeCacheKey,
  hex,
  unhex,
} from '@_all_docs/cache';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from './_errors.ts';

fc.configureGlobal({ seed: 20250601 });

const HOST = 'https://mirror.example:8443/npm';
const NASTY = [
  '-',
  'constructor',
  '__proto__',
  '@explodingcabbage/..',
  '@x/.',
  'JSONStream',
  'jsonstream',
  'a:b',
  'null',
  '%00',
  'a%2fb',
  'n'.repeat(214),
  'naïve-日本',
  '\uff5ewide',
  '\u{1f600}grin',
  '\ufeffbom',
  ' ',
  '\0',
];
/** Non-empty well-formed text, astral characters included. */
const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 });
const end = fc.option(text, { nil: null });

describe('the v1 scheme', () => {
  it('is what other programs expect', () => {
    expect(createPartitionKey(null, 'a')).toBe('v1:partition:npm::61');
    expect(createPartitionKey('a', null)).toBe('v1:partition:npm:61:');
    expect(createPartitionKey(null, null)).toBe('v1:partition:npm::');
    expect(createPartitionKey('express', 'express-z')).toBe('v1:partition:npm:65787072657373:657870726573732d7a');
    expect(createPackumentKey('@a/b')).toBe('v1:packument:npm:40612f62');
    expect(createPackumentKey('é')).toBe('v1:packument:npm:c3a9');
    expect(createAbbreviatedKey('a')).toBe('v1:abbreviated:npm:61');
    expect(createPackumentKey('@a/b', HOST)).toBe('v1:packument:https%3A%2F%2Fmirror.example%3A8443%2Fnpm:40612f62');
  });

  it('has prefixes that list exactly one kind of one origin', () => {
    expect(createPartitionPrefix()).toBe('v1:partition:npm:');
    expect(createPackumentPrefix('packument')).toBe('v1:packument:npm:');
    expect(createPackumentKey('a', HOST).startsWith(createPackumentPrefix('packument', HOST))).toBe(true);
    expect(createPackumentKey('a', `${HOST}2`).startsWith(createPackumentPrefix('packument', HOST))).toBe(false);
  });

  it('decodes to its parts', () => {
    expect(decodeCacheKey('v1:partition:npm::61')).toEqual({
      version: 'v1',
      type: 'partition',
      origin: 'npm',
      startKey: null,
      endKey: 'a',
    });
    expect(decodeCacheKey(createPackumentKey('@a/b', HOST))).toEqual({
      version: 'v1',
      type: 'packument',
      origin: HOST,
      packageName: '@a/b',
    });
    expect(decodeCacheKey(createAbbreviatedKey('a'))).toMatchObject({ type: 'abbreviated', packageName: 'a' });
  });
});

describe('properties', () => {
  it('decode(encode(x)) = x', () => {
    for (const name of NASTY)
      expect(decodeCacheKey(createPackumentKey(name, HOST))).toMatchObject({ packageName: name });
    fc.assert(
      fc.property(end, end, text, (startKey, endKey, packageName) => {
        expect(decodeCacheKey(createPartitionKey(startKey, endKey, HOST))).toEqual({
          version: 'v1',
          type: 'partition',
          origin: HOST,
          startKey,
          endKey,
        });
        expect(decodeCacheKey(createPackumentKey(packageName))).toEqual({
          version: 'v1',
          type: 'packument',
          origin: 'npm',
          packageName,
        });
        expect(unhex(hex(startKey))).toBe(startKey);
      }),
    );
  });

  it('different names and ranges never share a key', () => {
    fc.assert(
      fc.property(end, end, end, end, (a, b, c, d) => {
        expect(createPartitionKey(a, b) === createPartitionKey(c, d)).toBe(a === c && b === d);
      }),
    );
    expect(new Set(NASTY.map((name) => createPackumentKey(name))).size).toBe(NASTY.length);
  });

  it('hex keeps the order of bytes', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        const [x, y] = [hex(a), hex(b)];
        expect(x < y ? -1 : x > y ? 1 : 0).toBe(compareBytes(a, b));
        expect(x).toBe(Buffer.from(a).toString('hex'));
      }),
    );
  });
});

describe('refusals are ERR_BAD_KEY', () => {
  it.each([
    ['the empty string', ''],
    ['a lone surrogate', 'a\ud800'],
    ['a swapped pair', '\udc00\ud800'],
    ['undefined', undefined],
    ['a number', 5],
    ['an object', {}],
  ])('as a name or an end: %s', async (_, value) => {
    // `undefined` alone stands for nothing: only `null` is an open end.
    expect(await codeOf(() => createPackumentKey(value as string))).toBe('ERR_BAD_KEY');
    expect(await codeOf(() => createPartitionKey(value as string, 'z'))).toBe('ERR_BAD_KEY');
    expect(await codeOf(() => createPartitionKey('a', value as string))).toBe('ERR_BAD_KEY');
    expect(await codeOf(() => hex(value as string))).toBe('ERR_BAD_KEY');
  });

  it('null is no package name', async () => {
    expect(await codeOf(() => createPackumentKey(null as unknown as string))).toBe('ERR_BAD_KEY');
  });

  it.each([
    '',
    'v1',
    'v2:packument:npm:61',
    'v1:package:npm:61',
    'v1:packument:npm',
    'v1:packument:npm:',
    'v1:packument:npm:61:62',
    'v1:partition:npm:61',
    'v1:partition:npm:61:62:63',
    'v1:packument:npm:6',
    'v1:packument:npm:6G',
    'v1:packument:npm:C3A9',
    'v1:packument:npm:ff',
    'v1:packument:npm:eda080',
    'v1:packument:npm:c080',
    'v1:packument::61',
    'v1:packument:other:61',
    'v1:packument:https%3A%2F%2FUPPER.example:61',
    'v1:packument:https%3A%2F%2Fh.example%2F:61',
    'v1:packument:https%3a%2f%2fh.example:61',
    'v1:packument:%E0%A4%A:61',
    ' v1:packument:npm:61',
    'v1:packument:npm:61\n',
  ])('malformed key %j', async (key) => {
    expect(await codeOf(() => decodeCacheKey(key))).toBe('ERR_BAD_KEY');
  });

  it.each([undefined, null, 5, {}])('decodeCacheKey(%j)', async (key) => {
    expect(await codeOf(() => decodeCacheKey(key as string))).toBe('ERR_BAD_KEY');
  });
});
