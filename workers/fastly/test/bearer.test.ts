import { describe, expect, it } from 'vitest';
import { bears } from '../src/bearer.ts';

const asks = (authorization?: string) =>
  new Request('https://edge.example.test/work', authorization === undefined ? {} : { headers: { authorization } });

describe('the bearer secret', () => {
  it('is taken in the scheme’s spelling, in any case', async () => {
    expect(await bears(asks('Bearer s3cret'), 's3cret')).toBe(true);
    expect(await bears(asks('bearer  s3cret'), 's3cret')).toBe(true);
  });

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Bearer s3cre',
    'Bearer s3crett',
    'Bearer S3cret',
    'Basic s3cret',
    's3cret',
    'Bearer s3cret x',
  ])('is not taken from %j', async (header) => {
    expect(await bears(asks(header), 's3cret')).toBe(false);
  });

  it('that is empty lets nobody in', async () => {
    for (const header of [undefined, 'Bearer', 'Bearer ', 'Bearer x'])
      expect(await bears(asks(header), '')).toBe(false);
  });
});
