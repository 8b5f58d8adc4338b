import { describe, expect, it } from 'vitest';
import { answer, throttle } from './_answers.ts';
import { governed } from './_governed.ts';
import { settle } from './_virtual-clock.ts';

describe('a 429', () => {
  it('halves pace and concurrency for everybody, and both come back', async () => {
    let throttled = 1;
    const { clock, governor, load } = governed(() => (throttled-- > 0 ? throttle('1') : answer()));
    load.ask(1);
    await clock.advance(60);
    expect(governor.state).toMatchObject({ limit: 8, rate: 50, throttled: 1 });
    load.ask(100);
    await clock.advance(3_000);
    expect(load.mostInFlight).toBeLessThanOrEqual(8);
    expect(load.mostWithin(1_000)).toBeLessThanOrEqual(63);
    for (let second = 0; second < 40; second++) {
      load.ask(1);
      await clock.advance(1_000);
    }
    expect(governor.state).toMatchObject({ limit: 16, rate: 100 });
  });

  it('recovers slowly: not at once by a burst of answers', async () => {
    let throttled = 1;
    const { clock, governor, load } = governed(() => (throttled-- > 0 ? throttle('1') : answer()));
    load.ask(1);
    await clock.advance(1_100);
    load.ask(50);
    await clock.advance(1_900);
    expect(governor.state.rate).toBeLessThanOrEqual(60);
  });

  it('ten of one round trip are one piece of news', async () => {
    for (const latency of [50, 0]) {
      const answers = Array.from({ length: 10 }, () => throttle('1'));
      const { clock, governor, load } = governed(
        () => answers.pop() ?? answer(),
        { rate: Number.POSITIVE_INFINITY },
        latency,
      );
      load.ask(10);
      await clock.advance(100);
      expect(governor.state).toMatchObject({ limit: 8, throttled: 10 });
    }
  });

  it('again and again comes down to one at a time, never to none', async () => {
    const { clock, governor, load } = governed(() => throttle('1'), { rate: 4 });
    for (let i = 0; i < 20; i++) {
      load.ask(1);
      await clock.advance(5_000);
    }
    expect(governor.state).toMatchObject({ limit: 1, rate: 0.5 });
    expect(load.codes).toEqual(Array(20).fill(429));
  });

  it('tells an unlimited pace what it was', async () => {
    let calm = 60;
    const { clock, governor, load } = governed(
      () => (calm-- > 0 ? answer() : throttle('1')),
      { rate: Number.POSITIVE_INFINITY, concurrency: 4 },
      100,
    );
    load.ask(61);
    await clock.advance(1_700);
    expect(governor.state.rate).toBeLessThanOrEqual(40);
    expect(governor.state.rate).toBeGreaterThan(5);
  });
});

describe('Retry-After', () => {
  it.each([
    ['seconds', () => '20', 20_000],
    ['a date', (now: number) => new Date(now + 20_000).toUTCString(), 19_000],
    ['zero', () => '0', 1_000],
    ['a date gone by', (now: number) => new Date(now - 60_000).toUTCString(), 1_000],
    ['nothing', () => undefined, 1_000],
    ['garbage', () => 'soon', 1_000],
  ])('is kept by all who wait: %s', async (_, header, least) => {
    let first = true;
    const { clock, load } = governed(
      () => {
        const response = first ? throttle(header(clock.now())) : answer();
        first = false;
        return response;
      },
      { concurrency: 2 },
    );
    load.ask(30);
    await clock.advance(51);
    const told = clock.now() - 1;
    const before = load.sent.length;
    load.ask(5);
    await clock.advance(least - 100);
    expect(load.sent).toHaveLength(before);
    await clock.advance();
    expect(load.sent[before]).toBeGreaterThanOrEqual(told + least);
    expect(load.sent[before]).toBeLessThan(told + Math.max(least, 1_000) + 2_000);
    expect(load.results).toHaveLength(35);
  });

  it('the longest of several holds', async () => {
    const answers = [throttle('5'), throttle('30'), throttle('2')];
    const { clock, load } = governed(() => answers.shift() ?? answer(), { rate: Number.POSITIVE_INFINITY });
    load.ask(3);
    await clock.advance(60);
    load.ask(1);
    await clock.advance(29_900);
    expect(load.sent).toHaveLength(3);
    await clock.advance(200);
    expect(load.sent).toHaveLength(4);
  });

  it('past patience tells everybody at once, and those who come later', async () => {
    let first = true;
    const { clock, governor, load } = governed(
      () => {
        const response = first ? throttle('3600') : answer();
        first = false;
        return response;
      },
      { concurrency: 1, patienceMs: 60_000 },
    );
    load.ask(5);
    await clock.advance(60);
    expect(load.codes).toEqual([429, ...Array(4).fill('ERR_RATE_LIMITED')]);
    load.ask(1);
    await settle();
    expect(load.codes.at(-1)).toBe('ERR_RATE_LIMITED');
    expect((load.results[1] as Error).message).toContain('3600 s');
    await clock.advance(3_600_000);
    load.ask(1);
    await clock.advance(100);
    expect(load.codes.at(-1)).toBe(200);
    expect(governor.state.inFlight).toBe(0);
  });

  it.each([14, 400])('past all dates is ERR_RATE_LIMITED too: %d digits', async (digits) => {
    const header = '9'.repeat(digits);
    let first = true;
    const { clock, governor, load } = governed(
      () => {
        const response = first ? throttle(header) : answer();
        first = false;
        return response;
      },
      { concurrency: 1 },
    );
    load.ask(3);
    await clock.advance(60);
    expect(load.codes).toEqual([429, 'ERR_RATE_LIMITED', 'ERR_RATE_LIMITED']);
    expect(governor.state.inFlight).toBe(0);
  });
});
