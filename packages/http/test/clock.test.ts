import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { createClock } from '../src/clock.ts';

/** A host whose timers go off when they are told to. */
function host() {
  const timers = new Map<number, { work: () => void; ms: number }>();
  let last = 0;
  return {
    timers,
    Date: { now: () => 1_000 },
    setTimeout(work: () => void, ms: number) {
      last += 1;
      timers.set(last, { work, ms });
      return last;
    },
    clearTimeout: (timer: number) => void timers.delete(timer),
  };
}

describe('a clock', () => {
  it('tells the time of its host', () => {
    expect(createClock(host()).now()).toBe(1_000);
  });

  it('sleeps as long as it is told, and then listens to no signal any more', async () => {
    const on = host();
    const { signal } = new AbortController();
    const slept = createClock(on).sleep(250, signal);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    const [[, { work, ms }] = [0, { work: () => undefined, ms: 0 }]] = on.timers;
    work();
    await slept;
    expect([ms, getEventListeners(signal, 'abort').length]).toEqual([250, 0]);
  });

  it('ends a sleep that is aborted, and its timer', async () => {
    const on = host();
    const controller = new AbortController();
    const slept = createClock(on).sleep(250, controller.signal);
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(slept).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: reason });
    expect([on.timers.size, getEventListeners(controller.signal, 'abort').length]).toEqual([0, 0]);
  });

  it('does not fall asleep where the signal was aborted before', async () => {
    const on = host();
    await expect(createClock(on).sleep(250, AbortSignal.abort())).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    expect(on.timers.size).toBe(0);
  });

  it('sleeps on the global object as on any other host', async () => {
    await createClock(globalThis).sleep(0);
  });
});
