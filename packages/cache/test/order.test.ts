import { compareBytes } from '@_all_docs/cache';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

fc.configureGlobal({ seed: 20250601 });

/** Characters on both sides of every boundary where UTF-16 units and UTF-8 bytes may disagree. */
const edge = fc.constantFrom(
  '\0',
  'a',
  'b',
  '\x7f',
  '\x80',
  '\u07ff',
  '\u0800',
  '\ud7ff',
  '\ue000',
  '\uff5e',
  '\uffff',
  '\u{10000}',
  '\u{1f600}',
  '\u{10ffff}',
);
const text = fc.oneof(fc.string({ unit: edge, maxLength: 6 }), fc.string({ unit: 'binary' }), fc.string());

const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

describe('compareBytes', () => {
  it('is the order of UTF-8 bytes', () => {
    fc.assert(
      fc.property(text, text, (a, b) => void expect(compareBytes(a, b)).toBe(byBytes(a, b))),
      { numRuns: 2000 },
    );
  });

  it('is the order of bytes behind a common beginning too', () => {
    fc.assert(
      fc.property(
        text,
        text,
        text,
        (head, a, b) => void expect(compareBytes(head + a, head + b)).toBe(byBytes(head + a, head + b)),
      ),
    );
  });

  it('differs from the order of UTF-16 units where that is wrong', () => {
    expect('\uff5ewide' < '\u{1f600}grin').toBe(false);
    expect(compareBytes('\uff5ewide', '\u{1f600}grin')).toBe(-1);
    expect(compareBytes('\u{1f600}', '\uffff')).toBe(1);
    expect(compareBytes('\ud7ff', '\u{10000}')).toBe(-1);
  });

  it('sorts a prefix first', () => {
    expect(compareBytes('a', 'a')).toBe(0);
    expect(compareBytes('a', 'ab')).toBe(-1);
    expect(compareBytes('a', '')).toBe(1);
    expect(['b', 'B', 'a-b', 'a', 'ab', 'a.b'].sort(compareBytes)).toEqual(['B', 'a', 'a-b', 'a.b', 'ab', 'b']);
  });
});
