import { fingerprint } from '@_all_docs/cache';
import fc from 'fast-check';
import { expect, test } from 'vitest';

/** FNV-1a, 64 bits, as it is written down. */
function fnv1a(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16).padStart(16, '0');
}

test('a fingerprint is FNV-1a of 64 bits, whatever the text', () => {
  expect(fingerprint('')).toBe('cbf29ce484222325');
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (text) => fingerprint(text) === fnv1a(text)));
});
