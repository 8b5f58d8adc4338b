import { BlobIndex } from '@_all_docs/content';
import { HttpError } from '@_all_docs/http';
import { PackumentClient } from '@_all_docs/packument';
import { ChangedDocuments, type ChangedMark, newMark, PulledDocuments } from '@_all_docs/registry';
import { expect, test } from 'vitest';
import { all, answer, blob, documentOf, replica, VirtualClock } from './_replica.ts';

const TARBALL = new Uint8Array(2_000).fill(7);
const TWO = { '1.0.0': { tarball: TARBALL }, '1.1.0': { tarball: TARBALL } };
const FRESH = '/left?write=true';

function scene(options: Parameters<typeof replica>[0] = {}) {
  const made = replica(options);
  const { env, storage, clock } = made;
  const client = new PackumentClient({ env });
  const pulled = new PulledDocuments({ env, client, limit: Number.POSITIVE_INFINITY, onTrouble: () => {} });
  const tarballs = new BlobIndex({ ordered: env.ordered, store: env.blobs, clock });
  const changed = new ChangedDocuments({ env: { ...env, ordered: env.ordered }, client, pulled, tarballs });
  const mark = (rest: Partial<ChangedMark> = {}): Promise<void> =>
    changed.mark([['left', newMark({ seq: 7, rev: '4-def', at: clock.now(), ...rest })]]);
  return { ...made, storage, client, changed, tarballs, mark };
}

const rev4 = (versions = TWO, more: object = {}) =>
  answer(JSON.stringify(documentOf('left', versions, { _rev: '4-def', ...more })));

test('a document that changed is not served as it was: the registry is asked first, past its caches', async () => {
  const { ask, hold, mark, origin, changed } = scene();
  await hold(documentOf('left', TWO));
  expect((await ask('/npm/left')).status).toBe(200);
  expect(origin.asked()).toBe(0);
  await mark();
  origin.say(FRESH, rev4({ '1.1.0': { tarball: TARBALL } } as typeof TWO));
  const { status, json } = await ask('/npm/left');
  expect([status, Object.keys(json.versions)]).toEqual([200, ['1.1.0']]);
  expect(await changed.get('left')).toBeUndefined();
  await ask('/npm/left');
  expect(origin.asked()).toBe(1);
});

test('a version that vanished: its tarball is refused at once and its blob let go, the others stay', async () => {
  const { ask, hold, mark, origin, tarballs, env, clock } = scene();
  await hold(documentOf('left', TWO));
  origin.say('/left/-/left-1.0.0.tgz', blob(TARBALL));
  origin.say('/left/-/left-1.1.0.tgz', blob(new Uint8Array(TARBALL)));
  expect((await ask('/npm/left/-/left-1.0.0.tgz')).status).toBe(200);
  expect((await ask('/npm/left/-/left-1.1.0.tgz')).status).toBe(200);
  await mark();
  origin.say(FRESH, rev4({ '1.1.0': { tarball: TARBALL } } as typeof TWO));
  expect((await ask('/npm/left/-/left-1.0.0.tgz')).status).toBe(404);
  expect((await ask('/npm/left/-/left-1.1.0.tgz')).status).toBe(200);
  const rows = await all(env.ordered.list({ start: 'v1:version:', end: 'v1:version;' }));
  expect(rows).toHaveLength(1);
  expect((await all(tarballs.blobs())).map(([, { refs }]) => refs)).toEqual([1]);
  await clock.advance(1);
});

test('a document that lags behind the feed is not served: 503 with Retry-After, and the registry is not asked by every client', async () => {
  const { ask, hold, mark, origin, clock, changed } = scene();
  await hold(documentOf('left', TWO));
  await mark();
  origin.say(FRESH, answer(JSON.stringify(documentOf('left', TWO))));
  const { status, headers, json } = await ask('/npm/left');
  expect([status, headers['retry-after'], json.code]).toEqual([503, '1', 'ERR_CHANGED']);
  expect((await ask('/npm/left')).status).toBe(503);
  expect((await ask('/npm/left/-/left-1.0.0.tgz')).status).toBe(503);
  expect(origin.asked()).toBe(1);
  expect(await changed.get('left')).toMatchObject({ tries: 1 });
  await clock.advance(1_000);
  origin.say(FRESH, rev4());
  expect((await ask('/npm/left')).status).toBe(200);
});

test('what lags behind for an hour is what the registry has', async () => {
  const { ask, hold, mark, origin, clock } = scene();
  await hold(documentOf('left', TWO));
  await mark();
  origin.say(FRESH, answer(JSON.stringify(documentOf('left', TWO))));
  expect((await ask('/npm/left')).status).toBe(503);
  await clock.advance(3_700_000);
  expect((await ask('/npm/left')).status).toBe(200);
});

test('a tarball of a document that changed is not served while the registry is down, a 404 is never made of it', async () => {
  const { ask, hold, mark, origin } = scene();
  await hold(documentOf('left', TWO));
  origin.say('/left/-/left-1.0.0.tgz', blob(TARBALL));
  expect((await ask('/npm/left/-/left-1.0.0.tgz')).status).toBe(200);
  await mark();
  origin.say(FRESH, new HttpError('ERR_FETCH_FAILED', 'down', { status: 500 }));
  expect((await ask('/npm/left/-/left-1.0.0.tgz')).status).toBe(503);
  expect((await ask('/npm/left')).status).toBe(503);
});

test('a single 404 takes nothing away, a second one past all caches does', async () => {
  const { ask, hold, mark, client, changed, clock, origin } = scene();
  await hold(documentOf('left', TWO));
  await mark();
  expect((await ask('/npm/left')).status).toBe(404);
  expect(await client.heldMetadata('left')).toBeDefined();
  expect((await ask('/npm/left')).status).toBe(404);
  expect(origin.asked()).toBe(1);
  await clock.advance(310_000);
  expect(await changed.settle('left')).toBe('gone');
  expect(await client.heldMetadata('left')).toBeUndefined();
  expect(await all(changed.gone())).toMatchObject([{ name: 'left', why: 'absent' }]);
});

test('a 404 that was a slip is forgotten when the document is there again', async () => {
  const { ask, hold, mark, clock, origin, changed } = scene();
  await hold(documentOf('left', TWO));
  await mark();
  expect((await ask('/npm/left')).status).toBe(404);
  await clock.advance(310_000);
  origin.say(FRESH, rev4());
  expect((await ask('/npm/left')).status).toBe(200);
  expect(await changed.get('left')).toBeUndefined();
});

test('a stub and a placeholder are kept as the registry has them, and noted; a package that comes back is no longer gone', async () => {
  const { hold, mark, changed, origin, ask } = scene();
  await hold(documentOf('left', TWO));
  await mark();
  const time = { created: '2024-01-01T00:00:00.000Z', unpublished: { versions: ['1.0.0'] } };
  origin.say(FRESH, answer(JSON.stringify({ _id: 'left', _rev: '4-def', name: 'left', time })));
  expect(await changed.settle('left')).toBe('settled');
  expect(await all(changed.gone())).toMatchObject([{ name: 'left', why: 'unpublished' }]);
  expect((await ask('/npm/left/-/left-1.0.0.tgz')).status).toBe(404);
  await mark({ seq: 8, rev: '5-abc' });
  const placeholder = documentOf(
    'left',
    { '0.0.1-security': { more: { _npmUser: { name: 'npm' } } } },
    { _rev: '5-abc' },
  );
  origin.say(FRESH, answer(JSON.stringify(placeholder)));
  expect(await changed.settle('left')).toBe('settled');
  expect(await all(changed.gone())).toMatchObject([{ why: 'placeholder' }]);
  await mark({ seq: 9, rev: '6-abc' });
  origin.say(FRESH, answer(JSON.stringify(documentOf('left', TWO, { _rev: '6-abc' }))));
  expect(await changed.settle('left')).toBe('settled');
  expect(await all(changed.gone())).toEqual([]);
});

test('what the feed said is gone is not pulled through again out of a cache that still has it', async () => {
  const announced = async () => ({ change: { seq: 7, rev: '4-def', deleted: true }, clearedAt: undefined });
  const { ask, origin, hold, changed } = scene({ env: { announced } });
  await hold(documentOf('left', TWO));
  await changed.remove('left', 'deleted');
  origin.say('/left', answer(JSON.stringify(documentOf('left', TWO))));
  origin.say(FRESH, answer(JSON.stringify(documentOf('left', TWO))));
  expect((await ask('/npm/left')).status).toBe(404);
});

test('a deletion whose row names no revision is not undone by a cache that still has the document', async () => {
  const announced = async () => ({ change: { seq: 7, rev: undefined, deleted: true }, clearedAt: undefined });
  const { ask, origin } = scene({ env: { announced } });
  origin.say('/left', answer(JSON.stringify(documentOf('left', TWO))));
  expect((await ask('/npm/left')).status).toBe(404);
  expect(origin.asked('/left')).toBe(0);
});

test('what a list of names no longer has is not pulled through out of a cache that still has it, and caches are used again once they cannot', async () => {
  const { time } = new VirtualClock();
  const announced = async () => ({ change: undefined, clearedAt: time });
  const { ask, origin, clock } = scene({ env: { announced } });
  origin.say('/left', answer(JSON.stringify(documentOf('left', TWO))));
  expect((await ask('/npm/left')).status).toBe(404);
  await clock.advance(300_000);
  expect((await ask('/npm/left')).status).toBe(404);
  expect([origin.asked('/left'), origin.asked(FRESH)]).toEqual([0, 2]);
  await clock.advance(70_000);
  expect((await ask('/npm/left')).status).toBe(200);
  expect([origin.asked('/left'), origin.asked(FRESH)]).toEqual([1, 2]);
});

test('a document that was on its way while names were listed again is asked for once more before it is served', async () => {
  let clearedAt = 1;
  const { ask, origin, changed } = scene({ env: { announced: async () => ({ change: undefined, clearedAt }) } });
  origin.say('/left', () => {
    clearedAt = 2;
    return answer(JSON.stringify(documentOf('left', TWO)));
  });
  expect((await ask('/npm/left')).status).toBe(404);
  expect(await changed.get('left')).toMatchObject({ absences: 1 });
  expect((await ask('/npm/left')).status).toBe(404);
});

test('marks of sequences that began anew give way to any that comes, also those that were put off meanwhile', async () => {
  const { mark, changed, env, origin } = scene();
  await mark({ seq: 900 });
  origin.say(FRESH, new HttpError('ERR_FETCH_FAILED', 'down', { status: 500 }));
  const { ordered } = env;
  const commit = ordered.commit.bind(ordered);
  // Somebody's try fails between the look at the mark and the change of it.
  ordered.commit = async (...args) => {
    ordered.commit = commit;
    await expect(changed.settle('left')).rejects.toThrow('down');
    return commit(...args);
  };
  await changed.forgetSequences();
  expect(await changed.get('left')).toMatchObject({ seq: -1, tries: 1 });
  await mark({ seq: 5, rev: '5-abc' });
  expect(await changed.get('left')).toMatchObject({ seq: 5, rev: '5-abc', tries: 0 });
});

test('a document that was pulled through may still go for others after it changed', async () => {
  const { ask, origin, mark, client } = scene({ options: { documentBytes: 600 } });
  origin.say('/left', answer(JSON.stringify(documentOf('left', TWO))));
  expect((await ask('/npm/left')).status).toBe(200);
  await mark();
  origin.say(FRESH, rev4());
  expect((await ask('/npm/left')).status).toBe(200);
  origin.say('/other', answer(JSON.stringify(documentOf('other', TWO))));
  expect((await ask('/npm/other')).status).toBe(200);
  expect(await client.heldMetadata('left')).toBeUndefined();
  expect(await client.heldMetadata('other')).toBeDefined();
});

test('a mark of an earlier change does not replace that of a later one', async () => {
  const { mark, changed } = scene();
  await mark({ seq: 9 });
  await mark({ seq: 8 });
  expect(await changed.get('left')).toMatchObject({ seq: 9 });
});

test('a package that is deleted while it is asked for stays deleted: what comes is from before', async () => {
  const { hold, mark, origin, changed, client } = scene();
  await hold(documentOf('left', TWO));
  await mark();
  origin.say(FRESH, async () => {
    await changed.remove('left', 'deleted');
    return rev4();
  });
  expect(await changed.settle('left')).toBe('gone');
  expect(await client.heldMetadata('left')).toBeUndefined();
  expect(await all(changed.gone())).toMatchObject([{ name: 'left', why: 'deleted' }]);
});

test('a package that is published again while its last 404 is on the way is asked for again, not given up', async () => {
  const { hold, mark, origin, changed, client } = scene();
  await hold(documentOf('left', TWO));
  await mark({ absences: 1 });
  origin.say(FRESH, async () => {
    await mark({ seq: 8, rev: '5-abc', pin: true });
    return answer('{"error":"Not found"}', { status: 404 });
  });
  expect(await changed.settle('left')).toBe('absent');
  expect(await changed.get('left')).toMatchObject({ seq: 8, rev: '5-abc', pin: true });
  expect(await client.heldMetadata('left')).toBeDefined();
});

test('a package that was being given up at a crash is not served', async () => {
  const { hold, ask, changed, storage, origin } = scene();
  await hold(documentOf('left', TWO));
  const remove = storage.delete;
  storage.delete = () => Promise.reject(new Error('killed'));
  await expect(changed.remove('left', 'deleted')).rejects.toThrow('killed');
  storage.delete = remove;
  expect((await ask('/npm/left')).status).toBe(404);
  expect(origin.asked(FRESH)).toBe(1);
  expect(await changed.get('left')).toBeUndefined();
});

test('of two who mark at once the later change stays', async () => {
  const { mark, changed } = scene();
  await Promise.all([mark({ seq: 9 }), mark({ seq: 8 })]);
  expect(await changed.get('left')).toMatchObject({ seq: 9 });
});

test('a document that is pulled through while the feed says that it is deleted, or changed, is not served as it was', async () => {
  let said: { seq: number; rev: string; deleted: boolean } | undefined;
  const announced = async () => ({ change: said, clearedAt: undefined });
  const { ask, origin, client, changed } = scene({ env: { announced } });
  const old = (row: typeof said) => () => {
    said = row;
    return answer(JSON.stringify(documentOf('left', TWO)));
  };
  origin.say('/left', old({ seq: 7, rev: '4-def', deleted: true }));
  expect((await ask('/npm/left')).status).toBe(404);
  expect(await client.heldMetadata('left')).toBeUndefined();
  said = undefined;
  origin.say('/left', old({ seq: 8, rev: '5-abc', deleted: false }));
  expect((await ask('/npm/left')).status).toBe(404);
  expect(await changed.get('left')).toMatchObject({ seq: 8, rev: '5-abc' });
});
