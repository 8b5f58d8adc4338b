import { assertWorkItem, type WorkItem } from '@_all_docs/worker';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';
import { item } from './_env.ts';

describe('assertWorkItem', () => {
  it.each([
    [
      "the snippet's",
      { type: 'partition', id: 'partition-a-b', payload: { startKey: 'a', endKey: 'b' }, priority: 1, attempts: 0 },
    ],
    ['one of little urgency, tried before', item('packument', { name: 'a' }, { priority: 99, attempts: 2 })],
    ['one of a type that others know', item('tarball', null)],
  ])('takes %s', (_, good) => {
    expect(() => assertWorkItem(good)).not.toThrow();
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a string', 'partition'],
    ['no type', item('', {})],
    ['a type that is no string', item(5 as never, {})],
    ['no id', item('partition', {}, { id: '' })],
    ['an id that is no string', item('partition', {}, { id: 1 as never })],
    ['priority 0', item('partition', {}, { priority: 0 })],
    ['half a priority', item('partition', {}, { priority: 1.5 })],
    ['no priority', item('partition', {}, { priority: undefined as never })],
    ['priority as text', item('partition', {}, { priority: '1' as never })],
    ['endless priority', item('partition', {}, { priority: Number.POSITIVE_INFINITY })],
    ['attempts below 0', item('partition', {}, { attempts: -1 })],
    ['no attempts', item('partition', {}, { attempts: undefined as never })],
    ['NaN attempts', item('partition', {}, { attempts: Number.NaN })],
  ])('refuses %s with ERR_BAD_WORK_ITEM', async (_, bad) => {
    expect(await codeOf(() => assertWorkItem(bad as WorkItem))).toBe('ERR_BAD_WORK_ITEM');
  });
});
