import { Governor, withRetry } from '@_all_docs/http';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomFrom } from '../../../test/contract/_bytes.ts';
import { answer, errorOf, throttle } from './_answers.ts';
import { governed } from './_governed.ts';
import { VirtualClock } from './_virtual-clock.ts';

fc.configureGlobal({ seed: 20250601 });

describe('nothing is ever dropped', () => {
  it('under random 429s, trouble, aborts and arrivals every promise settles', async () => {
    const kinds = fc.constantFrom('ok', 'ok', 'ok', '429', '429 in 3', '500', '503 in 2', 'html');
    await fc.assert(
      fc.asyncProperty(
        fc.array(kinds, { minLength: 1, maxLength: 80 }),
        fc.array(fc.tuple(fc.nat(4_000), fc.integer({ min: 1, max: 20 }), fc.boolean()), { maxLength: 8 }),
        fc.integer({ min: 1, max: 8 }),
        async (answers, waves, concurrency) => {
          let at = 0;
          const { clock, governor, load } = governed(
            () => {
              switch (answers[at++]) {
                case '429':
                  return throttle();
                case '429 in 3':
                  return throttle('3');
                case '500':
                  return answer(500);
                case '503 in 2':
                  return answer(503, { 'retry-after': '2' });
                case 'html':
                  return answer(200, {}, '<html>');
                default:
                  return answer();
              }
            },
            { concurrency, rate: 30 },
          );
          for (const [after, count, abort] of waves) {
            const controller = new AbortController();
            load.ask(count, { signal: controller.signal });
            await clock.advance(after);
            if (abort) controller.abort();
          }
          await clock.advance();
          expect(load.results).toHaveLength(load.asked);
          expect(
            load.codes.every(
              (code) => typeof code === 'number' || code === 'ERR_ABORTED' || code === 'ERR_ORIGIN_DOWN',
            ),
          ).toBe(true);
          expect(load.mostInFlight).toBeLessThanOrEqual(concurrency);
          expect(governor.state.inFlight).toBe(0);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('with retry above, a crowd outlives a storm of 429s', async () => {
    const clock = new VirtualClock();
    const random = randomFrom(3);
    const governor = new Governor({ clock, random, concurrency: 10, rate: 50 });
    let storm = 12;
    const transport = withRetry(
      governor.wrap(async () => {
        await clock.sleep(20);
        return storm-- > 0 ? throttle(storm % 2 ? '2' : undefined) : answer();
      }),
      { clock, random },
    );
    const all = Array.from({ length: 100 }, () => errorOf(transport({ url: 'https://origin.example/a' })));
    await clock.advance();
    expect(await Promise.all(all)).toEqual(Array(100).fill(undefined));
  });
});
