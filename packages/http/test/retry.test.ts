import { HttpError, type Transport, withRetry } from '@_all_docs/http';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomFrom } from '../../../test/contract/_bytes.ts';
import { answer, blockPage, errorOf, script, throttle } from './_answers.ts';
import { VirtualClock } from './_virtual-clock.ts';

fc.configureGlobal({ seed: 20250601 });

const broken = new HttpError('ERR_FETCH_FAILED', 'connection reset');

/** Runs one request to its end on a clock of its own. */
async function run(
  transport: Transport,
  options: { attempts?: number; patienceMs?: number; baseMs?: number; random?: () => number } = {},
) {
  const clock = new VirtualClock();
  const promise = withRetry(transport, { clock, random: randomFrom(1), ...options })({
    url: 'https://origin.example/a',
  });
  const outcome = promise.then(
    (response) => ({ status: response.status, code: undefined }),
    (error: HttpError) => ({ status: error.status, code: error.code }),
  );
  await clock.advance();
  return { ...(await outcome), sleeps: clock.sleeps, clock };
}

describe('withRetry', () => {
  it.each([200, 304, 401, 403, 404, 410, 451])('takes %d for an answer at once', async (status) => {
    const origin = script(answer(status));
    expect(await run(origin)).toMatchObject({ status, code: undefined, sleeps: [] });
    expect(origin.requests).toHaveLength(1);
  });

  it('goes on after trouble of any kind', async () => {
    const origin = script(broken, answer(500), blockPage(403), new HttpError('ERR_TIMEOUT', 'slow'), answer(200));
    expect(await run(origin)).toMatchObject({ status: 200 });
    expect(origin.requests).toHaveLength(5);
  });

  it.each([
    ['a broken connection', broken, 'ERR_FETCH_FAILED', undefined],
    ['a time out', new HttpError('ERR_TIMEOUT', 'slow'), 'ERR_TIMEOUT', undefined],
    ['a 500', answer(500), 'ERR_FETCH_FAILED', 500],
    ['a 502 page', blockPage(502), 'ERR_FETCH_FAILED', 502],
    ['a 503 without Retry-After', answer(503), 'ERR_FETCH_FAILED', 503],
    ['a block page under 200', blockPage(200), 'ERR_BLOCKED', 200],
    ['a block page under 403', blockPage(403), 'ERR_BLOCKED', 403],
    ['a block page under 404', blockPage(404), 'ERR_BLOCKED', 404],
  ])('after the last try %s is an error and never an answer', async (_, response, code, status) => {
    for (const attempts of [1, 3, 6]) {
      const origin = script(response);
      expect(await run(origin, { attempts })).toMatchObject({ code, status });
      expect(origin.requests).toHaveLength(attempts);
    }
  });

  it('does not count a 429 as a try', async () => {
    const origin = script(...Array.from({ length: 40 }, () => throttle('1')), answer(500), answer(500), answer(200));
    expect(await run(origin, { attempts: 3 })).toMatchObject({ status: 200 });
    expect(origin.requests).toHaveLength(43);
  });

  it('ends with ERR_RATE_LIMITED when nothing but 429s came for longer than the patience', async () => {
    const { code, status, clock } = await run(script(throttle()), { patienceMs: 60_000 });
    expect([code, status]).toEqual(['ERR_RATE_LIMITED', 429]);
    const waited = clock.sleeps.reduce((a, b) => a + b, 0);
    expect(waited).toBeGreaterThan(60_000);
    expect(waited).toBeLessThan(60_000 + 30_000);
    expect((await run(script(answer(503, { 'retry-after': '3' })), { patienceMs: 1 })).code).toBe('ERR_RATE_LIMITED');
  });

  it('counts patience from the first 429, not from the time spent waiting for a turn', async () => {
    const clock = new VirtualClock();
    const answers = [throttle('1'), answer(200)];
    const transport = async () => {
      // The queue of the governor below, at a low rate.
      await clock.sleep(20 * 60_000);
      return answers.shift() ?? answer(500);
    };
    const ended = withRetry(transport, { clock, random: randomFrom(1), patienceMs: 15 * 60_000 })({
      url: 'https://origin.example/a',
    }).then(
      ({ status }) => status,
      ({ code }) => code,
    );
    await clock.advance();
    expect(await ended).toBe(200);
  });

  it.each([
    'ERR_ABORTED',
    'ERR_TOO_LARGE',
    'ERR_BUDGET_EXHAUSTED',
    'ERR_ENCODING',
    'ERR_RATE_LIMITED',
    'ERR_ORIGIN_DOWN',
    'ERR_BAD_URL',
  ] as const)('does not try again after %s', async (code) => {
    const origin = script(new HttpError(code, 'x'));
    expect((await run(origin)).code).toBe(code);
    expect(origin.requests).toHaveLength(1);
  });

  it('lets a mistake of the program through as it is', async () => {
    const mistake = new TypeError('x is not a function');
    const clock = new VirtualClock();
    expect(
      await errorOf(withRetry(script(mistake), { clock, random: randomFrom(1) })({ url: 'https://origin.example/a' })),
    ).toBe(mistake);
  });

  it('is stopped at once, whether it sleeps or is about to', async () => {
    for (const before of [true, false]) {
      const clock = new VirtualClock();
      const controller = new AbortController();
      const origin = script(broken);
      const promise = withRetry(origin, { clock, random: randomFrom(1), baseMs: 60_000 })({
        url: 'https://origin.example/a',
        signal: controller.signal,
      });
      const ended = errorOf(promise);
      if (!before) await clock.advance(1);
      controller.abort();
      expect((await ended)?.code).toBe('ERR_ABORTED');
      expect([origin.requests.length, clock.sleeping]).toEqual([1, 0]);
    }
  });

  it('pauses with jitter, doubled each time and never for more than half a minute', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 2_000 }), async (seed, baseMs) => {
        const { sleeps } = await run(script(answer(500)), { attempts: 12, baseMs, random: randomFrom(seed) });
        expect(sleeps).toHaveLength(11);
        sleeps.forEach((ms, i) => {
          const most = Math.min(30_000, baseMs * 2 ** Math.min(i, 10));
          expect(ms).toBeGreaterThanOrEqual(0);
          expect(ms).toBeLessThanOrEqual(most);
        });
        expect(
          new Set(sleeps.map((ms, i) => ms / Math.min(30_000, baseMs * 2 ** Math.min(i, 10)))).size,
        ).toBeGreaterThan(3);
      }),
      { numRuns: 20 },
    );
  });
});
