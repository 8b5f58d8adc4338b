import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { noise as slowNoise } from '../../contract/_bytes.ts';
import { noise, sameBytes } from './_bytes.ts';
import { expect as guestExpect } from './_expect.ts';
import { deflateSync } from './_zlib.ts';

const fails = (check: () => void): boolean => {
  try {
    check();
    return false;
  } catch {
    return true;
  }
};
const value = () =>
  fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom<unknown>(0, -0, 1, '', 'a', null, undefined, Number.NaN, true),
      fc.uint8Array({ maxLength: 2, max: 1 }),
      fc.array(tie('any'), { maxLength: 2 }),
      fc.dictionary(fc.constantFrom('a', 'b'), tie('any')),
    ),
  })).any;

describe('what stands in for vitest inside the engine', () => {
  it.each(['toBe', 'toEqual', 'toMatchObject'] as const)('%s passes nothing that vitest fails', (matcher) => {
    const isObject = (each: unknown) => typeof each === 'object' && each !== null;
    fc.assert(
      fc.property(value(), value(), (a, b) => {
        if (matcher === 'toMatchObject') fc.pre(isObject(a) && isObject(b));
        for (const wanted of [b, structuredClone(a)]) {
          const theirs = expect(a) as unknown as Record<typeof matcher, (wanted: unknown) => void>;
          const verdicts = [guestExpect(a), theirs].map((each) => fails(() => each[matcher](wanted)));
          // Stricter where vitest is odd: it finds any object with no members in anything.
          const differ = matcher === 'toMatchObject' ? !verdicts[0] && verdicts[1] : verdicts[0] !== verdicts[1];
          expect({ a, wanted, differ }).toEqual({ a, wanted, differ: false });
        }
      }),
      { numRuns: 3_000, seed: 1 },
    );
  });

  it('the other matchers fail where vitest’s do', async () => {
    expect(fails(() => guestExpect(1).toBeUndefined())).toBe(true);
    expect(fails(() => guestExpect(undefined).toBeDefined())).toBe(true);
    expect(fails(() => guestExpect(1).toBeGreaterThan(1))).toBe(true);
    expect(fails(() => guestExpect([1]).toContain(2))).toBe(true);
    expect(fails(() => guestExpect({}).toBeInstanceOf(Error))).toBe(true);
    const error = new Error('x');
    await guestExpect(Promise.reject(error)).rejects.toBe(error);
    await expect(guestExpect(Promise.resolve(error)).rejects.toBe(error)).rejects.toThrow();
    await expect(guestExpect(Promise.reject(new Error('x'))).rejects.toBe(error)).rejects.toThrow();
  });

  it('bytes differ where a piece, an order or a single byte differs', () => {
    const bytes = noise(100_003, 3);
    expect(sameBytes(noise(100_003, 3), bytes)).toBe(true);
    expect(sameBytes(bytes.slice(1), noise(100_003, 3).subarray(1))).toBe(true);
    expect(sameBytes(noise(100_003, 4), bytes)).toBe(false);
    expect(sameBytes(bytes.slice(0, 4_096), bytes.slice(4_096, 8_192))).toBe(false);
    for (const at of [0, 5_000, 100_002]) {
      const other = bytes.slice();
      other[at] = (other[at] as number) ^ 1;
      expect(sameBytes(other, bytes)).toBe(false);
    }
    expect(sameBytes(noise(1_000), slowNoise(1_000))).toBe(true);
  });

  it('deflate can be undone', async () => {
    const stream = new Blob([deflateSync('{"a":1}') as Uint8Array<ArrayBuffer>]).stream();
    expect(await new Response(stream.pipeThrough(new DecompressionStream('deflate'))).text()).toBe('{"a":1}');
  });
});
