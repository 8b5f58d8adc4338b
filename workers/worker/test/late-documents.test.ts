import { createPackumentKey } from '@_all_docs/cache';
import { bootstrap, type Env, EVERYTHING, follow } from '@_all_docs/worker';
import { expect, it } from 'vitest';
import { openReplica } from '../src/follow/replica.js';
import { FeedRegistry, replicaOf, replicaOfReplica } from './_feed.ts';

const NAMES = Array.from({ length: 40 }, (_, i) => `name-${i}`);

async function revOf(env: Env, name: string): Promise<string | undefined> {
  const { storage } = await openReplica(env, 'full');
  return (await storage.head(createPackumentKey(name, env.registry)))?.rev;
}

it('a document that a cache still has as it was before the listing is asked for past it', async () => {
  const origin = new FeedRegistry();
  for (const name of ['kept', 'left']) origin.publish(name);
  origin.fillCache();
  origin.publish('left');
  const { env } = replicaOf(origin);
  expect(await bootstrap({ selection: EVERYTHING, depth: 'packuments' }, env)).toMatchObject({ status: 'done' });
  expect([await revOf(env, 'kept'), await revOf(env, 'left')]).toEqual(['1-abc', '2-abc']);
});

it('a replica of a replica takes no document in bulk that the other one does not serve any more', async () => {
  const origin = new FeedRegistry();
  for (const name of NAMES) origin.publish(name);
  const first = replicaOf(origin);
  await bootstrap({ selection: EVERYTHING, depth: 'packuments' }, first.env);
  await follow({ once: true, reconcileMs: 0 }, first.env);
  // Changed, and not fetched again yet.
  origin.isDown = true;
  origin.publish('name-7');
  await follow({ once: true, reconcileMs: 0 }, first.env);
  expect(await revOf(first.env, 'name-7')).toBe('1-abc');

  const second = replicaOfReplica(first);
  const copy = () => bootstrap({ selection: EVERYTHING, depth: 'packuments' }, second);
  expect(await copy()).toMatchObject({ status: 'incomplete', stored: 39, failed: 1 });
  expect(await revOf(second, 'name-7')).toBeUndefined();
  expect(second.asked.filter((path) => path.startsWith('/npm/'))).toEqual(['/npm/name-7']);

  origin.isDown = false;
  first.env.clock.time += 10_000;
  expect(await copy()).toMatchObject({ status: 'done', failed: 0 });
  expect(await revOf(second, 'name-7')).toBe('2-abc');
});
