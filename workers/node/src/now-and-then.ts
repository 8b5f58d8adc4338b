import type { Clock } from '@_all_docs/http';
import type { Logger } from '@_all_docs/worker';

export interface NowAndThenOptions {
  env: { clock: Pick<Clock, 'sleep'>; logger?: Logger | undefined };
  /** How long after the start, and then after each time. */
  firstMs: number;
  everyMs: number;
  /** What is logged when the work fails; it is tried again at its next time. */
  trouble: string;
}

/** Does something again and again, one after another. Gives a function that ends it, when the work under way is done. */
export function nowAndThen(
  work: () => Promise<unknown>,
  { env: { clock, logger }, firstMs, everyMs, trouble }: NowAndThenOptions,
): () => Promise<void> {
  const ending = new AbortController();
  const loop = async () => {
    for (let pause = firstMs; ; pause = everyMs) {
      await clock.sleep(pause, ending.signal);
      try {
        await work();
      } catch (error) {
        logger?.warn?.(trouble, { error: String(error) });
      }
    }
  };
  const ended = loop().catch(() => {});
  return async () => {
    ending.abort();
    await ended;
  };
}
