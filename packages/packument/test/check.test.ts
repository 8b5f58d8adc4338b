import { type TransportResponse, webCodec } from '@_all_docs/http';
import { type Check, checkPackument } from '@_all_docs/packument';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';
import { documentOf, gzipped, identity } from './_registry.ts';

const CHECKS: Check[] = ['length', 'crc', 'parse'];
const look = (name: string, { body, encoding }: TransportResponse, check: Check) =>
  checkPackument(name, body, encoding, check, webCodec);
const cut = (response: TransportResponse, by: number) => ({
  ...response,
  body: response.body.slice(0, response.body.length - by),
});
const flip = (response: TransportResponse, at: number) => ({
  ...response,
  body: response.body.map((byte, i) => (i === at ? byte ^ 0xff : byte)),
});
const big = documentOf('a', { versions: { '1.0.0': { name: 'a' } }, readme: `${'x'.repeat(5_000)}${Math.PI}` });

describe('a good document', () => {
  it.each(CHECKS)('passes by %s, plain and packed', async (check) => {
    for (const name of ['a', '@a/b', '__proto__', 'constructor', 'naïve-日本', '"quoted\\', 'n'.repeat(214)]) {
      for (const response of [
        identity(documentOf(name)),
        gzipped(documentOf(name)),
        identity(` \r\n\t${documentOf(name)}\n`),
      ]) {
        expect(await codeOf(() => look(name, response, check))).toBeUndefined();
      }
    }
  });

  it('says its revision and when it changed', async () => {
    expect(await look('a', gzipped(documentOf('a')), 'parse')).toEqual({
      rev: '3-abc',
      modified: '2025-01-02T03:04:05.678Z',
    });
    expect(await look('a', gzipped(documentOf('a')), 'crc')).toMatchObject({ rev: '3-abc' });
    const short = JSON.stringify({ name: 'a', modified: '2025-01-02T03:04:05.678Z', 'dist-tags': {}, versions: {} });
    for (const check of ['crc', 'parse'] as const)
      expect(await look('a', gzipped(short), check)).toEqual({ rev: undefined, modified: '2025-01-02T03:04:05.678Z' });
    expect(await look('a', gzipped(documentOf('a')), 'length')).toEqual({ rev: undefined, modified: undefined });
  });

  it.each(['crc', 'parse'] as const)('may begin with anything: %s', async (check) => {
    for (const text of [
      JSON.stringify({ versions: {}, _rev: '3-abc', name: 'a', _id: 'a' }),
      JSON.stringify({ _rev: '3-abc', _id: 'a', name: 'a' }),
      JSON.stringify({ 'dist-tags': {}, _attachments: {}, readme: 'x'.repeat(4_000), _rev: '3-abc', name: 'a' }),
      '{ "_id" : "\\u0061" , "_rev" : "3-abc" , "name" : "a" }',
    ]) {
      expect(await look('a', gzipped(text), check)).toMatchObject({ rev: '3-abc' });
    }
    expect(await look('a', gzipped('{"_id":"a"}'), check)).toMatchObject({ rev: undefined });
    expect(await look('a', gzipped('{"_id":"a","name":"a","_rev":5,"time":null}'), check)).toEqual({
      rev: undefined,
      modified: undefined,
    });
  });
});

describe('a bad document is ERR_BAD_PACKUMENT', () => {
  it.each([
    '',
    ' ',
    'null',
    '[]',
    '[{"_id":"a"}]',
    '"a"',
    '5',
    '}',
    '{',
    '{"_id":"a","name":"a"',
    '<html>{}',
    '{}x',
    '\0',
    'not found',
  ])('by every check: %j', async (text) => {
    for (const check of CHECKS)
      expect([check, await codeOf(() => look('a', identity(text), check))]).toEqual([check, 'ERR_BAD_PACKUMENT']);
    for (const check of ['crc', 'parse'] as const)
      expect(await codeOf(() => look('a', gzipped(text), check))).toBe('ERR_BAD_PACKUMENT');
  });

  it.each([
    ['{}'],
    ['{"error":"Not found"}'],
    ['{"_id":"b","name":"b"}'],
    ['{"_id":"b","_rev":"1-x","name":"b"}'],
    ['{"_id":"A","_rev":"1-x"}'],
    ['{"name":"b","modified":"x"}'],
    ['{"_id":null,"_rev":"1-x"}'],
    ['{"_id":["a"],"name":5}'],
    ['{"__proto__":{"_id":"a","name":"a"}}'],
  ])('with another name, or none: %s', async (text) => {
    for (const check of ['crc', 'parse'] as const)
      expect([check, await codeOf(() => look('a', gzipped(text), check))]).toEqual([check, 'ERR_BAD_PACKUMENT']);
  });

  it('cut in the middle', async () => {
    for (const by of [1, 2, 100, 4_000, big.length - 1]) {
      for (const check of CHECKS)
        expect(await codeOf(() => look('a', cut(identity(big), by), check))).toBe('ERR_BAD_PACKUMENT');
    }
  });

  it.each([
    '{"_id":"a","_rev":"1-x","versions":{"1.0.0":{}',
    '{"_id":"a","_rev":"1-x","readme":"} \\"}',
    '{"_id":"a","_rev":"1-x"}}',
    '{"_id":"a","_rev":"1-x"}{}',
    '{"_id":"a","_rev":"1-x","x":"',
    '{"_id":"a","_rev":"1-x","x":"\\',
  ])('not closed where it ends: %s', async (text) => {
    for (const check of ['crc', 'parse'] as const) {
      expect(await codeOf(() => look('a', identity(text), check))).toBe('ERR_BAD_PACKUMENT');
    }
  });

  it('braces and quotes in strings close nothing', async () => {
    const text = JSON.stringify({ _id: 'a', _rev: '1-x', readme: '}]"\\"{[', deep: [[{ '}': ['"'] }]] });
    for (const check of ['crc', 'parse'] as const)
      expect(await codeOf(() => look('a', identity(text), check))).toBeUndefined();
  });

  it.each([
    '{"_id":"\\q","_rev":"1-x"}',
    '{"_id":"a\nb","_rev":"1-x"}',
    '{"_id":"a","_rev":"\\u12","name":"a"}',
    '{"name":"\\x","modified":"y"}',
  ])('with a head that is no JSON: %j', async (text) => {
    for (const check of ['crc', 'parse'] as const)
      expect([check, await codeOf(() => look('a', identity(text), check))]).toEqual([check, 'ERR_BAD_PACKUMENT']);
  });

  it('that says gzip and is not', async () => {
    expect(await codeOf(() => look('a', { ...identity(big), encoding: 'gzip' }, 'length'))).toBe('ERR_BAD_PACKUMENT');
    for (const check of ['crc', 'parse'] as const)
      expect(await codeOf(() => look('a', { ...identity(big), encoding: 'gzip' }, check))).toBe('ERR_ENCODING');
  });
});

describe('damaged gzip', () => {
  it('is ERR_ENCODING by crc and by parse, wherever the damage is', async () => {
    const whole = gzipped(big);
    const { length } = whole.body;
    for (const damaged of [
      cut(whole, 1),
      cut(whole, 8),
      cut(whole, length - 12),
      flip(whole, length - 1),
      flip(whole, length - 6),
    ]) {
      for (const check of ['crc', 'parse'] as const)
        expect(await codeOf(() => look('a', damaged, check))).toBe('ERR_ENCODING');
    }
    expect(await codeOf(() => look('a', { ...whole, encoding: 'zstd' }, 'crc'))).toBe('ERR_ENCODING');
  });
});

describe('hostile keys', () => {
  it('change no prototype and lend no name', async () => {
    const text =
      '{"_id":"a","name":"a","_rev":"1-x","__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"time":{"__proto__":{"modified":"x"}}}';
    for (const check of CHECKS) await look('a', gzipped(text), check);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(
      await look('a', gzipped('{"versions":{},"__proto__":{"_rev":"1-x","modified":"x"},"name":"a"}'), 'crc'),
    ).toEqual({ rev: undefined, modified: undefined });
  });
});
