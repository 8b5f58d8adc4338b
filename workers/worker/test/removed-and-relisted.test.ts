import { bootstrap, EVERYTHING, follow, reconcileNow } from '@_all_docs/worker';
import { expect, it } from 'vitest';
import { FeedRegistry, replicaOf } from './_feed.ts';

/** A replica that holds `kept` and `left`, before which a cache goes on to have both; followed to the feed's head. */
async function followed() {
  const origin = new FeedRegistry();
  for (const name of ['kept', 'left', 'kept', 'left', 'kept']) origin.publish(name);
  const replica = replicaOf(origin);
  await bootstrap({ selection: EVERYTHING, depth: 'packuments' }, replica.env);
  origin.fillCache();
  const read = () => follow({ once: true, reconcileMs: 0 }, replica.env);
  await read();
  expect([await replica.ask('left'), await replica.ask('kept')]).toEqual([200, 200]);
  return { origin, read, ...replica };
}

it('what was deleted stays so when the sequences begin anew, though a cache still has it', async () => {
  const { origin, read, ask } = await followed();
  origin.remove('left');
  expect(await read()).toMatchObject({ removed: 1, alarms: 0 });
  origin.beginAnew();
  expect(await read()).toMatchObject({ alarms: 1 });
  expect([await ask('left'), await ask('kept')]).toEqual([404, 200]);
});

it('what was deleted stays so when names are compared with the list again, though a cache still has it', async () => {
  const { origin, read, ask, env } = await followed();
  origin.remove('left');
  await read();
  expect((await reconcileNow({}, env)).reconciled).toMatchObject({ status: 'done', names: 1 });
  expect([await ask('left'), await ask('kept')]).toEqual([404, 200]);
});

it('what only the list of names told is not stored by a request that was under way when it was compared', async () => {
  const origin = new FeedRegistry();
  for (const name of ['kept', 'left']) origin.publish(name);
  const { env, ask } = replicaOf(origin);
  await bootstrap({ selection: EVERYTHING, depth: 'names' }, env);
  origin.fillCache();
  const asked = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  origin.beforeCached = () => {
    asked.resolve();
    return held.promise;
  };
  const shown = ask('left');
  await asked.promise;
  origin.removeSilently('left');
  expect((await reconcileNow({}, env)).reconciled).toMatchObject({ status: 'done', names: 1, missing: 0 });
  held.resolve();
  expect([await shown, await ask('left')]).toEqual([404, 404]);
});
