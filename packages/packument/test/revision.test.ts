import { isOlderRevision } from '@_all_docs/packument';
import { expect, test } from 'vitest';

test.each([
  ['1-a', '2-b', true],
  ['9-a', '10-a', true],
  ['2-a', '2-b', false],
  ['3-a', '2-b', false],
  ['2-b', '2-b', false],
  [undefined, '2-b', false],
  ['1-a', undefined, false],
  ['abc', '2-b', false],
  ['1-a', 'no revision', false],
])('%s is from before %s: %s', (rev, announced, older) => {
  expect(isOlderRevision(rev, announced)).toBe(older);
});
