import { createNodeHashers } from '@_all_docs/worker-node';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';

const hashers = createNodeHashers();

async function hashOf(algorithm: Parameters<typeof hashers.create>[0], ...pieces: Uint8Array[]): Promise<string> {
  const hasher = await hashers.create(algorithm);
  for (const piece of pieces) await hasher.update(piece);
  return Buffer.from(await hasher.digest()).toString('hex');
}

it('blobs are addressed by BLAKE3', () => {
  expect(hashers.address).toBe('blake3');
});

// From the test vectors of BLAKE3's authors: bytes 0, 1, … 250, 0, 1, …
it.each([
  [0, 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'],
  [1, '2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213'],
  [1024, '42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7'],
])('the BLAKE3 of %i bytes is that of the test vectors', async (length, expected) => {
  expect(
    await hashOf(
      'blake3',
      Uint8Array.from({ length }, (_, i) => i % 251),
    ),
  ).toBe(expected);
});

it('the BLAKE3 of content does not depend on the pieces that it comes in', async () => {
  const sizes = fc.array(fc.oneof(fc.nat(300), fc.nat(100_000)), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(sizes, async (lengths) => {
      const pieces = lengths.map((length, i) => Buffer.alloc(length, i + 1));
      expect(await hashOf('blake3', ...pieces)).toBe(await hashOf('blake3', Buffer.concat(pieces)));
    }),
    { seed: 2, numRuns: 60 },
  );
});

it('the digests of integrity strings are those of node:crypto', async () => {
  for (const algorithm of ['sha1', 'sha256', 'sha384', 'sha512'] as const) {
    const expected = createHash(algorithm).update('some').update('thing').digest('hex');
    expect(await hashOf(algorithm, Buffer.from('some'), Buffer.from('thing'))).toBe(expected);
  }
});
