import { Governor, type GovernorOptions, HttpError, type TransportResponse } from '@_all_docs/http';
import { describe, expect, it } from 'vitest';
import { randomFrom } from '../../../test/contract/_bytes.ts';
import { answer, Load, throttle } from './_answers.ts';
import { settle, VirtualClock } from './_virtual-clock.ts';

function setUp(next: () => TransportResponse, options: Partial<GovernorOptions> = {}) {
  const clock = new VirtualClock();
  const governor = new Governor({
    clock,
    random: randomFrom(7),
    rate: Number.POSITIVE_INFINITY,
    concurrency: 4,
    ...options,
  });
  const load = new Load(
    (transport) => governor.wrap(transport),
    async () => {
      await clock.sleep(100);
      return next();
    },
    () => clock.now(),
  );
  return { clock, governor, load };
}

describe('circuit breaker', () => {
  it('opens after eight failures in a row, then lets one request find out for all', async () => {
    let down = true;
    const { clock, governor, load } = setUp(() => (down ? answer(502) : answer()), { concurrency: 64, rate: 100_000 });
    load.ask(200);
    await clock.advance(150);
    const sent = load.sent.length;
    expect(sent).toBeLessThan(110);
    await clock.advance(900);
    expect(load.sent).toHaveLength(sent);
    load.mostInFlight = 0;
    await clock.advance(1_500);
    expect(load.sent).toHaveLength(sent + 1);
    expect([load.mostInFlight, governor.state.limit]).toEqual([1, 1]);
    down = false;
    await clock.advance(3_000);
    expect(load.mostInFlight).toBeGreaterThan(1);
    await clock.advance();
    expect(load.results).toHaveLength(200);
    expect(load.codes.filter((code) => code === 502)).toHaveLength(sent + 1);
    expect(governor.state.inFlight).toBe(0);
  });

  it('probes ever more rarely while an origin that had answered stays down, and gives it up when patience ends', async () => {
    let up = 1;
    const { clock, governor, load } = setUp(
      () => {
        if (up-- > 0) return answer();
        throw new HttpError('ERR_FETCH_FAILED', 'refused');
      },
      { concurrency: 1, rate: 1_000, patienceMs: 600_000 },
    );
    load.ask(100);
    await clock.advance(590_000);
    const gaps = load.sent.slice(9).map((at, i) => at - (load.sent[i + 8] as number));
    expect(gaps[0]).toBeGreaterThanOrEqual(1_000);
    for (const [i, gap] of gaps.entries()) {
      if (i > 0) expect(gap).toBeGreaterThanOrEqual(gaps[i - 1] as number);
      expect(gap).toBeLessThanOrEqual(10_200);
    }
    expect(gaps.at(-1)).toBeGreaterThanOrEqual(10_000);
    expect(load.codes).not.toContain('ERR_ORIGIN_DOWN');
    await clock.advance(60_000);
    expect(load.results).toHaveLength(100);
    expect(new Set(load.codes)).toEqual(new Set([200, 'ERR_FETCH_FAILED', 'ERR_ORIGIN_DOWN']));
    expect(load.sent.length).toBeLessThan(80);
    expect(governor.state.inFlight).toBe(0);
  });

  it('gives an origin that never answered up after seconds, and asks it again when somebody comes later', async () => {
    let down = true;
    const { clock, load } = setUp(() => (down ? answer(502) : answer()), { rate: 1_000 });
    load.ask(50);
    await clock.advance(15_000);
    expect(load.results).toHaveLength(50);
    expect(load.codes.at(-1)).toBe('ERR_ORIGIN_DOWN');
    expect(load.sent.length).toBeLessThan(20);
    down = false;
    await clock.advance(60_000);
    load.ask(3);
    await clock.advance(1_000);
    expect(load.codes.slice(50)).toEqual([200, 200, 200]);
  });

  it('does not take a time without requests for silence of the origin', async () => {
    let down = false;
    const { clock, load } = setUp(() => (down ? answer(502) : answer()), { rate: 1_000, patienceMs: 60_000 });
    load.ask(1);
    await clock.advance(3_600_000);
    down = true;
    load.ask(12);
    await clock.advance(3_000);
    expect(load.codes).not.toContain('ERR_ORIGIN_DOWN');
    down = false;
    await clock.advance();
    expect(load.results).toHaveLength(13);
    expect(load.codes).not.toContain('ERR_ORIGIN_DOWN');
  });

  it('one probe at a time, also when a pause of the origin lies in between', async () => {
    const answers = [...Array.from({ length: 8 }, () => answer(500)), throttle('5'), answer(500), answer()];
    const { clock, load } = setUp(() => answers.shift() ?? answer(), { concurrency: 1 });
    load.ask(8);
    await clock.advance(900);
    load.ask(20);
    load.mostInFlight = 0;
    await clock.advance(9_000);
    expect(load.mostInFlight).toBe(1);
    await clock.advance();
    expect(load.results).toHaveLength(28);
  });

  it('a failure now and then does not open it', async () => {
    let count = 0;
    const { clock, governor, load } = setUp(() => (++count % 3 === 0 ? answer(500) : answer()), { concurrency: 1 });
    load.ask(60);
    await clock.advance(6_100);
    expect(load.results).toHaveLength(60);
    expect(governor.state.pausedUntil).toBe(0);
  });

  it('does not open for one thing that fails again and again', async () => {
    const { clock, governor, load } = setUp(() => answer(500), { concurrency: 4, rate: 100 });
    load.ask(30, { url: 'https://origin.example/bad' });
    await clock.advance(2_000);
    expect(load.results).toHaveLength(30);
    expect(governor.state).toMatchObject({ troubles: 30, limit: 4, rate: 100, pausedUntil: 0 });
  });

  it('slows down before it opens', async () => {
    const { clock, governor, load } = setUp(() => answer(500), { concurrency: 4, rate: 100 });
    load.ask(5);
    await clock.advance(2_000);
    expect(governor.state).toMatchObject({ troubles: 5, limit: 2, rate: 50 });
  });

  it('an aborted probe leaves the breaker to the next one', async () => {
    let down = true;
    const controller = new AbortController();
    const clock = new VirtualClock();
    const governor = new Governor({ clock, random: randomFrom(7), rate: 1_000, concurrency: 1 });
    const transport = governor.wrap(async ({ signal }) => {
      await clock.sleep(100, signal);
      return down ? answer(500) : answer();
    });
    const results: unknown[] = [];
    let asked = 0;
    const ask = (signal?: AbortSignal) =>
      transport({ url: `https://origin.example/${++asked}`, signal }).then(
        (r) => results.push(r.status),
        (e) => results.push(e.code),
      );
    for (let i = 0; i < 8; i++) ask();
    await clock.advance(810);
    ask(controller.signal);
    ask();
    await clock.advance(1_020);
    down = false;
    controller.abort();
    await clock.advance();
    expect(results.slice(8)).toEqual(['ERR_ABORTED', 200]);
    expect(governor.state).toMatchObject({ inFlight: 0 });
  });
});

describe('abort while waiting', () => {
  it('leaves the queue and takes no slot', async () => {
    const { clock, governor, load } = setUp(() => answer(), { concurrency: 1 });
    const controller = new AbortController();
    load.ask(1);
    load.ask(3, { signal: controller.signal });
    load.ask(2);
    await clock.advance(50);
    controller.abort();
    await settle();
    expect(load.codes).toEqual(Array(3).fill('ERR_ABORTED'));
    await clock.advance();
    expect(load.sent).toHaveLength(3);
    expect(load.codes.slice(3)).toEqual([200, 200, 200]);
    expect(governor.state.inFlight).toBe(0);
  });

  it('during a pause of the origin ends at once', async () => {
    const answers = [throttle('600')];
    const { clock, load } = setUp(() => answers.shift() ?? answer(), { concurrency: 1 });
    load.ask(1);
    await clock.advance(200);
    const controller = new AbortController();
    load.ask(4, { signal: controller.signal });
    await clock.advance(1_000);
    controller.abort(new Error('enough'));
    await settle();
    expect(load.codes).toEqual([429, ...Array(4).fill('ERR_ABORTED')]);
    expect((load.results[1] as Error).cause).toMatchObject({ message: 'enough' });
  });

  it('leaves no listener on the signal, however the wait ended', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners += 1;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...args);
    };
    const answers = [answer(), answer(), throttle('3600')];
    const { clock, load } = setUp(() => answers.shift() ?? answer(), { concurrency: 1, patienceMs: 1_000 });
    load.ask(6, { signal });
    await clock.advance();
    expect(load.codes).toEqual([200, 200, 429, ...Array(3).fill('ERR_RATE_LIMITED')]);
    expect(listeners).toBe(0);
  });
});
