import { expect, it } from 'vitest';
import { claim } from '../src/claim.ts';

it('a claim is given once, to the first who asks, and to others for other things', async () => {
  expect(await claim('@a/b', 60_000)).toBe(true);
  expect(await claim('@a/b', 60_000)).toBe(false);
  expect(await claim('@a/c', 60_000)).toBe(true);
});
