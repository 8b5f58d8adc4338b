import { compareBytes } from '@_all_docs/cache';
import { shortestSeparator } from '@_all_docs/partition';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

fc.configureGlobal({ seed: 20250601 });

const name = fc.string({
  unit: fc.constantFrom('a', 'b', '-', 'é', '\uff5e', '\u{1f600}', '\u{1f601}'),
  minLength: 1,
  maxLength: 6,
});

describe('shortestSeparator', () => {
  it('separates, is a whole-character prefix, and no shorter one would do', () => {
    fc.assert(
      fc.property(name, name, (a, b) => {
        fc.pre(a !== b);
        const [before, from] = [a, b].sort(compareBytes) as [string, string];
        const separator = shortestSeparator(before, from);
        expect(compareBytes(before, separator)).toBe(-1);
        expect(compareBytes(separator, from)).not.toBe(1);
        expect(from.startsWith(separator)).toBe(true);
        expect(separator.isWellFormed()).toBe(true);
        const shorter = [...separator].slice(0, -1).join('');
        expect(compareBytes(before, shorter)).not.toBe(-1);
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    ['express', 'fastify', 'f'],
    ['express', 'express-session', 'express-'],
    ['a', 'aa', 'aa'],
    ['\u{1f600}', '\u{1f601}', '\u{1f601}'],
    ['\uff5e', '\u{1f600}x', '\u{1f600}'],
    ['@a/x', '@b/x', '@b'],
    [`${'n'.repeat(213)}a`, `${'n'.repeat(213)}b`, `${'n'.repeat(213)}b`],
  ])('%s | %s at %s', (before, from, expected) => {
    expect(shortestSeparator(before, from)).toBe(expected);
  });
});
