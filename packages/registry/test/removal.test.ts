import { removalOf } from '@_all_docs/registry';
import { expect, test } from 'vitest';

const version = (user = 'somebody') => ({ name: 'a', _npmUser: { name: user } });
const time = { created: '2024-01-01T00:00:00.000Z', modified: '2025-01-01T00:00:00.000Z' };
const unpublished = { time: '2025-01-01T00:00:00.000Z', versions: ['1.0.0'] };

test.each<[string, unknown, ReturnType<typeof removalOf>]>([
  ['a package with versions', { versions: { '1.0.0': version() }, time, 'dist-tags': { latest: '1.0.0' } }, undefined],
  ["npm's stub of an unpublished package", { _id: 'a', name: 'a', time: { ...time, unpublished } }, 'unpublished'],
  ['a stub with an empty list of versions', { versions: {}, time: { ...time, unpublished } }, 'unpublished'],
  ['a document with dates and nothing else', { _id: 'a', name: 'a', time }, 'unpublished'],
  [
    'time.unpublished beside versions that are left (npm reports it on partly unpublished packages, too)',
    { versions: { '1.0.0': version() }, time: { ...time, unpublished }, 'dist-tags': { latest: '1.0.0' } },
    undefined,
  ],
  ["npm's security placeholder", { versions: { '0.0.1-security': version('npm') }, time }, 'placeholder'],
  [
    'more than one placeholder',
    { versions: { '0.0.1-security': version('npm'), '0.0.1-security.1': version('npm') }, time },
    'placeholder',
  ],
  ['a version called so that somebody else published', { versions: { '0.0.1-security': version() }, time }, undefined],
  [
    'a placeholder beside a true version',
    { versions: { '0.0.1-security': version('npm'), '1.0.0': version() }, time },
    undefined,
  ],
  ['a document without versions, times and tags, as very old ones are', { _id: 'a', name: 'a' }, undefined],
  ['no document at all', null, undefined],
])('%s', (_, document, removal) => {
  expect(removalOf(document)).toBe(removal);
});
