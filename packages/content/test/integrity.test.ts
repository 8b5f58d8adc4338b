import { IntegrityCheck, integrityOfShasum } from '@_all_docs/content';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { codeOf, utf8 } from '../../../test/contract/_bytes.ts';
import { sri, testHashers } from './_store.ts';

const TEXT = 'what a package is made of';
const other = (algorithm: string) => sri(algorithm, 'something else');

async function check(integrity: string | undefined, size?: number): Promise<string | undefined> {
  const check = await IntegrityCheck.create({ integrity, size }, testHashers());
  for (const piece of [TEXT.slice(0, 5), '', TEXT.slice(5)]) await check.update(utf8(piece));
  expect(check.length).toBe(TEXT.length);
  return check.end();
}

describe('content', () => {
  it.each(['sha512', 'sha384', 'sha256', 'sha1'])('that has its %s is what was expected', async (algorithm) => {
    expect(await check(sri(algorithm, TEXT))).toBe(sri(algorithm, TEXT));
    expect(await codeOf(() => check(other(algorithm)))).toBe('ERR_INTEGRITY');
  });

  it('is judged by the strongest algorithm that is named', async () => {
    expect(await check(`${other('sha1')} ${sri('sha512', TEXT)}`)).toBe(sri('sha512', TEXT));
    expect(await codeOf(() => check(`${sri('sha1', TEXT)} ${other('sha512')}`))).toBe('ERR_INTEGRITY');
    expect(await codeOf(() => check(`${sri('sha384', TEXT)}\n${other('sha512')}`))).toBe('ERR_INTEGRITY');
    expect(await check(`md5-abc= ${sri('sha1', TEXT)}`)).toBe(sri('sha1', TEXT));
  });

  it('may have any one of several hashes of that algorithm', async () => {
    expect(await check(`${other('sha512')}  ${sri('sha512', TEXT)}`)).toBe(sri('sha512', TEXT));
  });

  it('is judged without the options of a hash', async () => {
    expect(await check(`${sri('sha512', TEXT)}?foo=bar`)).toBe(sri('sha512', TEXT));
  });

  it.each(['', ' ', 'md5-abc=', 'nonsense', 'SHA512-abc', '-', 'sha512'])(
    'cannot be trusted with the integrity %j: ERR_INTEGRITY',
    async (integrity) => {
      expect(await codeOf(() => check(integrity))).toBe('ERR_INTEGRITY');
    },
  );

  it('has the length that was expected', async () => {
    expect(await check(undefined, TEXT.length)).toBeUndefined();
    expect(await codeOf(() => check(undefined, TEXT.length + 1))).toBe('ERR_INTEGRITY');
    expect(await codeOf(() => check(sri('sha512', TEXT), 3))).toBe('ERR_INTEGRITY');
  });

  it('is anything where nothing was expected', async () => {
    expect(await check(undefined)).toBeUndefined();
  });
});

it('a shasum is an integrity string, too', async () => {
  const shasum = createHash('sha1').update(TEXT).digest('hex');
  expect(integrityOfShasum(shasum)).toBe(sri('sha1', TEXT));
  expect(integrityOfShasum(shasum.toUpperCase())).toBe(sri('sha1', TEXT));
  for (const none of ['', 'abc', `${shasum}0`, 'z'.repeat(40)]) expect(integrityOfShasum(none)).toBeUndefined();
});
