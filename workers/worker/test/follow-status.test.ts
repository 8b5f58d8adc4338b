import { newMark } from '@_all_docs/registry';
import { bootstrap, EVERYTHING, FollowStatusReader, follow } from '@_all_docs/worker';
import { expect, it } from 'vitest';
import { openReplica } from '../src/follow/replica.js';
import { FeedRegistry, replicaOf } from './_feed.ts';

async function followed() {
  const origin = new FeedRegistry();
  for (const name of ['a', 'b', 'c']) origin.publish(name);
  const { env } = replicaOf(origin);
  await bootstrap({ selection: EVERYTHING, depth: 'packuments' }, env);
  await follow({ once: true, reconcileMs: 0 }, env);
  const { changed, store } = await openReplica(env, 'full');
  const mark = (name: string, tries = 0) => changed.mark([[name, newMark({ seq: 9, at: env.clock.now(), tries })]]);
  return { origin, env, changed, store, mark };
}

it('says how far the feed was read, and counts what is stale, failing and gone', async () => {
  const { env, changed, mark } = await followed();
  await mark('a');
  await mark('b', 2);
  await changed.remove('c', 'deleted');
  const countedAt = env.clock.now();
  expect(await new FollowStatusReader(env).read()).toMatchObject({
    ...{ cursor: 3, originSeq: 3, lagChanges: 0, lagSeconds: 0, alarm: undefined, alarms: [] },
    ...{ stale: 2, failing: 1, gone: 1, countedAt },
  });
});

it('whoever asks again soon is not the reason to count again, and hears when it was; all else is as it is now', async () => {
  const { env, store, mark, origin } = await followed();
  const reader = new FollowStatusReader(env);
  await mark('a');
  const listed: unknown[] = [];
  const list = store.list.bind(store);
  store.list = (range) => {
    listed.push(range);
    return list(range);
  };
  const [first] = await Promise.all([reader.read(), reader.read()]);
  expect([first.stale, listed.length]).toEqual([1, 2]);
  const { countedAt } = first;
  origin.publish('d');
  await follow({ once: true, reconcileMs: 0 }, env);
  listed.length = 0;
  expect(await reader.read()).toMatchObject({ stale: 1, countedAt, cursor: 4 });
  expect(listed).toEqual([]);
  env.clock.time += 5_000;
  expect(await reader.read()).toMatchObject({ stale: 0, countedAt: countedAt + 5_000 });
  expect(listed).toHaveLength(2);
});

it('a count that takes long is made seldom', async () => {
  const { env, store } = await followed();
  const reader = new FollowStatusReader(env);
  const list = store.list.bind(store);
  store.list = (range) => {
    env.clock.time += 500;
    return list(range);
  };
  const { countedAt } = await reader.read();
  env.clock.time += 90_000;
  expect(await reader.read()).toMatchObject({ countedAt });
  env.clock.time += 10_000;
  expect((await reader.read()).countedAt).toBeGreaterThan(countedAt);
});

it('a count that failed is made again', async () => {
  const { env, store } = await followed();
  const reader = new FollowStatusReader(env);
  const { list } = store;
  store.list = () => {
    throw new Error('locked');
  };
  await expect(reader.read()).rejects.toThrow('locked');
  store.list = list;
  expect(await reader.read()).toMatchObject({ stale: 0 });
});
