import { CacheError, MemoryOrderedStore } from '@_all_docs/cache';
import { createLeaseFlight } from '@_all_docs/registry';
import { describe, expect, test } from 'vitest';
import { answer, documentOf, Origin, replica, settled, VirtualClock } from './_replica.ts';

/** Time that goes on while somebody waits. */
class PassingClock extends VirtualClock {
  override sleep = async (ms: number, signal?: AbortSignal): Promise<void> => {
    for (let until = this.time + ms; this.time < until; this.time += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
    }
  };
}

function fleet(size: number) {
  const origin = new Origin();
  const clock = new VirtualClock();
  const first = replica({ origin, clock });
  const { storage } = first;
  const member = (owner: string) => {
    const flight = createLeaseFlight({ ordered: storage.ordered, clock, owner });
    return replica({ origin, clock, storage, env: { flight } });
  };
  const members = Array.from({ length: size }, (_, i) => member(`process ${i}`));
  /** Lets those who poll look once more. */
  const look = async () => {
    for (let i = 0; i < 3; i++) await clock.advance(25);
  };
  return { origin, clock, storage, members, look };
}

describe('several processes on one store', () => {
  test.each([
    ['a document', answer(JSON.stringify(documentOf('express'))), 200],
    ['a 404', answer('{}', { status: 404 }), 404],
  ])('make one origin request for %s, whatever process is asked', async (_what, say, status) => {
    const { origin, members, look } = fleet(4);
    const gate = Promise.withResolvers<void>();
    origin.say('/express', async () => {
      await gate.promise;
      return say;
    });
    const answers = Array.from({ length: 100 }, (_, i) => members[i % 4]?.ask('/npm/express'));
    await settled();
    await look();
    gate.resolve();
    let open = true;
    const all = Promise.all(answers).finally(() => {
      open = false;
    });
    // As often as it takes: documents are packed in real time.
    while (open) await look();
    expect((await all).map((answered) => answered?.status)).toEqual(Array(100).fill(status));
    expect(origin.asked('/express')).toBe(1);
  });

  test('wait no longer than the lease of one that died', async () => {
    const { origin, members, storage, clock } = fleet(1);
    origin.say('/express', answer(JSON.stringify(documentOf('express'))));
    const key = `v1:flight:${Buffer.from('document::express').toString('hex')}`;
    await storage.ordered.commit([{ key, value: `${clock.now() + 10_000} dead` }]);
    const answered = members[0]?.ask('/npm/express');
    await settled();
    await clock.advance(9_000);
    expect(origin.asked()).toBe(0);
    await clock.advance(1_000);
    expect((await answered)?.status).toBe(200);
    expect(await storage.ordered.get(key)).toBeUndefined();
  });
});

test('a lease is kept as long as the work lasts', async () => {
  const ordered = new MemoryOrderedStore();
  const clock = new PassingClock();
  const flights = ['a', 'b'].map((owner) => createLeaseFlight({ ordered, clock, owner, leaseMs: 30, pollMs: 5 }));
  let running = 0;
  let most = 0;
  const work = async () => {
    running += 1;
    most = Math.max(most, running);
    await clock.sleep(200);
    running -= 1;
  };
  await Promise.all(flights.map((flight) => flight('document:x', work)));
  expect(most).toBe(1);
});

test('work that fails gives the lease back, and its error to all who waited in its process', async () => {
  const ordered = new MemoryOrderedStore();
  const flight = createLeaseFlight({ ordered, clock: new PassingClock(), owner: 'a' });
  const fail = () => flight('document:x', () => Promise.reject(new Error('no')));
  const results = await Promise.allSettled([fail(), fail()]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await flight('document:x', async () => 'done')).toBe('done');
});

test('rows that cannot be written cost the sharing, not the work', async () => {
  const ordered = new MemoryOrderedStore();
  ordered.commit = () => Promise.reject(new CacheError('ERR_DISK_FULL', 'no room'));
  const flight = createLeaseFlight({ ordered, clock: new PassingClock(), owner: 'a' });
  expect(await flight('document:x', async () => 'done')).toBe('done');
});

test('what does not ask the origin needs no lease', async () => {
  const ordered = new MemoryOrderedStore();
  ordered.commit = () => Promise.reject(new Error('a row was written'));
  const flight = createLeaseFlight({ ordered, clock: new PassingClock(), owner: 'a' });
  expect(await flight('derived:x', async () => 'done')).toBe('done');
});
