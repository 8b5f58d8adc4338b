import { digestOf, fingerprint } from '@_all_docs/cache';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';

describe('fingerprint', () => {
  it.each([
    ['', 'cbf29ce484222325'],
    ['a', 'af63dc4c8601ec8c'],
    ['foobar', '85944171f73967e8'],
  ])('is FNV-1a of 64 bits: %j', (text, expected) => {
    expect(fingerprint(text)).toBe(expected);
  });

  it('is always 16 digits, and tells near texts apart', () => {
    const seen = new Set<string>();
    for (let i = 0; i < 2000; i++) {
      const print = fingerprint(`["a","${i}"]`);
      expect(print).toMatch(/^[0-9a-f]{16}$/);
      seen.add(print);
    }
    expect(seen.size).toBe(2000);
    expect(fingerprint('é')).not.toBe(fingerprint('e\u0301'));
  });
});

describe('digestOf', () => {
  it('is a subresource-integrity string', async () => {
    const bytes = new TextEncoder().encode('{"a":1}');
    expect(await digestOf(bytes)).toBe(`sha256-${createHash('sha256').update(bytes).digest('base64')}`);
  });
});
