import { Hash } from '@_all_docs/content';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';

const HEX = 'ab00ff0123456789abcdef0123456789abcdef0123456789abcdef0123456789';
const bytes = Uint8Array.from(Buffer.from(HEX, 'hex'));

describe('a hash', () => {
  it('is 64 hex digits, and lies in the folder of the first two', () => {
    const hash = new Hash(bytes);
    expect(`${hash}`).toBe(HEX);
    expect(hash.dir()).toBe('ab');
    expect(hash.path).toBe(`blobs/ab/${HEX}`);
    expect(hash.id).toBe(HEX);
  });

  it('of SHA-256 lies apart and is told apart', () => {
    const hash = new Hash(bytes, 'sha256');
    expect(hash.path).toBe(`blobs/sha256/ab/${HEX}`);
    expect(hash.id).toBe(`sha256:${HEX}`);
    expect(hash.toString()).toBe(HEX);
    expect(hash.equals(new Hash(bytes))).toBe(false);
    expect(hash.equals(Hash.parse(`sha256:${HEX}`))).toBe(true);
  });

  it('is read from what names it', () => {
    expect(Hash.parse(HEX).algorithm).toBe('blake3');
    expect(Hash.parse(new Hash(bytes).id).equals(new Hash(bytes))).toBe(true);
    expect(Hash.parse(`sha256:${HEX}`).algorithm).toBe('sha256');
  });

  it.each(['', 'ab', HEX.toUpperCase(), `${HEX}0`, HEX.slice(1), `blake3:${HEX}`, `../${HEX.slice(3)}`, `${HEX}\n`])(
    'is not %j: ERR_BAD_HASH',
    async (text) => {
      expect(await codeOf(() => Hash.parse(text))).toBe('ERR_BAD_HASH');
    },
  );

  it('has 32 bytes, else ERR_BAD_HASH', async () => {
    for (const length of [0, 20, 31, 33, 64]) {
      expect(await codeOf(() => new Hash(new Uint8Array(length)))).toBe('ERR_BAD_HASH');
    }
  });
});
