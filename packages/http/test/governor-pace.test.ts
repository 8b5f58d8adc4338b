import { Governor, type GovernorOptions, HttpError } from '@_all_docs/http';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomFrom } from '../../../test/contract/_bytes.ts';
import { answer, codeOf, Load, throttle } from './_answers.ts';
import { settle, VirtualClock } from './_virtual-clock.ts';

fc.configureGlobal({ seed: 20250601 });

function setUp(options: Partial<GovernorOptions> = {}, latencyMs: () => number = () => 50) {
  const clock = new VirtualClock();
  const governor = new Governor({ clock, random: randomFrom(7), ...options });
  const load = new Load(
    (transport) => governor.wrap(transport),
    async () => {
      await clock.sleep(latencyMs());
      return answer();
    },
    () => clock.now(),
  );
  return { clock, governor, load };
}

describe('pace', () => {
  it('is never exceeded over random arrivals, and nothing is dropped', async () => {
    const arrivals = fc.array(fc.record({ after: fc.nat(3_000), count: fc.integer({ min: 1, max: 60 }) }), {
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(
        arrivals,
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 60 }),
        fc.nat(1_500),
        fc.integer(),
        async (waves, concurrency, rate, latency, seed) => {
          const random = randomFrom(seed);
          const { clock, governor, load } = setUp({ concurrency, rate }, () => Math.floor(random() * latency));
          for (const { after, count } of waves) {
            await clock.advance(after);
            load.ask(count);
          }
          await clock.advance();
          expect(load.mostInFlight).toBeLessThanOrEqual(concurrency);
          expect(load.mostWithin(1_000)).toBeLessThanOrEqual(rate + Math.max(1, rate / 20));
          expect(load.codes).toEqual(Array.from({ length: load.asked }, () => 200));
          expect(governor.state).toMatchObject({
            inFlight: 0,
            requests: load.asked,
            throttled: 0,
            troubles: 0,
            bytes: 2 * load.asked,
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is used: a crowd goes at the rate, not slower', async () => {
    const { clock, load } = setUp({ rate: 20, concurrency: 10 });
    load.ask(200);
    await clock.advance(10_000);
    expect(load.results.length).toBeGreaterThan(190);
  });

  it('fills all slots when there is no rate of our own', async () => {
    const { clock, load } = setUp({ rate: Number.POSITIVE_INFINITY, concurrency: 25 }, () => 100);
    load.ask(100);
    await settle();
    expect(load.inFlight).toBe(25);
    await clock.advance(400);
    expect(load.codes).toHaveLength(100);
  });

  it('has 10 at once and 20 a second when nothing is told', async () => {
    const { clock, load } = setUp({}, () => 10_000);
    load.ask(50);
    await clock.advance(9_000);
    expect(load.mostInFlight).toBe(10);
    const fast = setUp({}, () => 1);
    fast.load.ask(100);
    await fast.clock.advance(3_000);
    expect(fast.load.mostWithin(1_000)).toBeLessThanOrEqual(21);
    expect(fast.load.sent.length).toBeGreaterThan(57);
  });

  it('is first come, first served', async () => {
    const { clock, governor } = setUp({ rate: 5, concurrency: 2 });
    const order: string[] = [];
    const transport = governor.wrap(async ({ url }) => {
      order.push(url);
      return answer();
    });
    const urls = Array.from({ length: 30 }, (_, i) => `https://origin.example/${i}`);
    const all = Promise.all(urls.map((url) => transport({ url })));
    await clock.advance();
    await all;
    expect(order).toEqual(urls);
  });

  it("is one per origin, and one origin's trouble is not another's", async () => {
    const clock = new VirtualClock();
    const governor = new Governor({ clock, random: randomFrom(7), concurrency: 2, rate: 1_000 });
    const transport = governor.wrap(async ({ url }) => (url.includes('slow') ? throttle('60') : answer()));
    await transport({ url: 'https://slow.example/a' });
    const rest = Promise.all(Array.from({ length: 10 }, () => transport({ url: 'https://fast.example/a' })));
    await clock.advance(1_000);
    expect((await rest).map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(governor.state).toMatchObject({ requests: 11, throttled: 1, limit: 1 });
  });
});

describe('budget', () => {
  it('passes its error through and frees the slot', async () => {
    for (const fail of [
      () => {
        throw new HttpError('ERR_BUDGET_EXHAUSTED', 'used up');
      },
      () => Promise.reject(new HttpError('ERR_BUDGET_EXHAUSTED', 'used up')),
    ]) {
      let left = 3;
      const budget = { take: (): void | Promise<void> => (left-- > 0 ? undefined : fail()) };
      const { clock, governor, load } = setUp({ concurrency: 2, rate: 1_000, budget });
      load.ask(12);
      await clock.advance();
      expect(load.codes.filter((code) => code === 200)).toHaveLength(3);
      expect(load.codes.filter((code) => code === 'ERR_BUDGET_EXHAUSTED')).toHaveLength(9);
      expect(load.sent).toHaveLength(3);
      // It is no news about the origin: pace and breaker are as they were.
      expect(governor.state).toMatchObject({ inFlight: 0, limit: 2, rate: 1_000, troubles: 0 });
    }
  });

  it('is paid before the request is sent', async () => {
    const events: string[] = [];
    const clock = new VirtualClock();
    const budget = {
      take: async () => {
        await clock.sleep(10);
        events.push('paid');
      },
    };
    const governor = new Governor({ clock, random: randomFrom(1), budget });
    const sent = governor.wrap(async () => {
      events.push('sent');
      return answer();
    })({ url: 'https://origin.example/a' });
    await clock.advance();
    await sent;
    expect(events).toEqual(['paid', 'sent']);
  });
});

describe('errors of the transport', () => {
  it('free the slot and reach the caller', async () => {
    const clock = new VirtualClock();
    const governor = new Governor({ clock, random: randomFrom(1), concurrency: 1 });
    const mistake = new TypeError('x');
    const transport = governor.wrap(async () => {
      throw mistake;
    });
    for (let i = 0; i < 12; i++) {
      const ended = transport({ url: 'https://origin.example/a' }).catch((error: unknown) => error);
      await clock.advance();
      expect(await ended).toBe(mistake);
    }
    expect(governor.state).toMatchObject({ inFlight: 0, troubles: 0, limit: 1 });
  });

  it('a signal that is aborted already never sends', async () => {
    const { load, governor } = setUp();
    load.ask(1, { signal: AbortSignal.abort() });
    await settle();
    expect(load.codes).toEqual(['ERR_ABORTED']);
    expect(load.sent).toEqual([]);
    expect(governor.state.inFlight).toBe(0);
    expect(await codeOf(Promise.resolve())).toBeUndefined();
  });
});
