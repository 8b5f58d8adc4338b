import { Hash } from '@_all_docs/content';
import { expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';
import { memoryStore, read, sourceOf, testCodec } from './_store.ts';

const TEXT = 'content that is addressed by its hash, '.repeat(50);

it.each([
  ['as it is', {}],
  ['packed', { compress: true }],
])('verify: the size of a whole blob, %s', async (_, how) => {
  const { store } = memoryStore({ codec: testCodec });
  const { hash, encoding } = await store.put(sourceOf(TEXT), how);
  expect(encoding).toBe('compress' in how ? 'zstd' : 'identity');
  expect(await store.verify(hash)).toBe(TEXT.length);
  expect(await store.verify(new Hash('0'.repeat(64)))).toBeUndefined();
});

it.each([
  ['', 'other content'],
  ['.zst', 'what nobody packed'],
])('verify: a damaged blob (%s) is ERR_BLOB_DAMAGED and stays where it is', async (end, bytes) => {
  const { store, backend } = memoryStore({ codec: testCodec });
  const { hash } = await store.put(sourceOf(TEXT), { compress: end !== '' });
  await backend.write(hash.path + end, sourceOf(bytes));
  expect(await codeOf(() => store.verify(hash))).toBe('ERR_BLOB_DAMAGED');
  expect(await store.has(hash)).toBe(true);
  expect(store.damaged).toBe(0);
  // A read that serves somebody puts it away.
  expect(await codeOf(() => read(store, hash))).toBe('ERR_BLOB_DAMAGED');
  expect(await store.has(hash)).toBe(false);
});
