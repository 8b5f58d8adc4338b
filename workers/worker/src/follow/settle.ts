import { codeOf, messageOf } from '../errors.js';
import type { Replica } from './replica.js';

/** What came of asking the registry for documents that had changed. */
export interface Settled {
  settled: number;
  gone: number;
  /** Documents that the registry still showed as they were before, names that it did not have for now, and errors: asked again later. */
  lagging: number;
  absent: number;
  failed: number;
}

export function noneSettled(): Settled {
  return { settled: 0, gone: 0, lagging: 0, absent: 0, failed: 0 };
}

export interface SettleOptions {
  concurrency: number;
  /** Also what is not due yet: nothing waits for more changes of the same package. */
  all?: boolean | undefined;
  /** Most requests of this round. */
  most?: number | undefined;
  signal?: AbortSignal | undefined;
  onError?: (name: string, error: unknown) => void;
}

/** Stops a round: the next one would meet the same. */
const STOPPING = new Set(['ERR_BUDGET_EXHAUSTED', 'ERR_RATE_LIMITED', 'ERR_ORIGIN_DOWN', 'ERR_ABORTED']);

/**
 * Asks the registry for the documents whose marks are due, in the order of names, several at once. Rejects when the
 * signal, the budget or the registry's pace ends the round; what was settled by then stays so.
 */
export async function settleMarks(
  { changed, env }: Replica,
  { concurrency, all = false, most = Number.POSITIVE_INFINITY, signal, onError }: SettleOptions,
): Promise<Settled> {
  const tally = noneSettled();
  const cursor = due();
  let stopped: unknown;
  await Promise.all(Array.from({ length: concurrency }, () => runner()));
  if (stopped !== undefined) throw stopped;
  return tally;

  async function* due(): AsyncGenerator<string> {
    let asked = 0;
    const now = env.clock.now();
    for await (const [name, { dueAt, askedAt }] of changed.marks()) {
      if (dueAt > now && !(all && askedAt === 0)) continue;
      if (asked++ >= most) return;
      yield name;
    }
  }

  async function runner(): Promise<void> {
    for (;;) {
      const { value: name, done } = await cursor.next();
      if (done || stopped !== undefined) return;
      try {
        signal?.throwIfAborted();
        tally[await changed.settle(name, signal)] += 1;
      } catch (error) {
        if (signal?.aborted || STOPPING.has(codeOf(error) ?? '')) {
          stopped ??= error;
          return;
        }
        tally.failed += 1;
        onError?.(name, error);
        env.logger?.warn?.('a changed document could not be fetched', { name, error: messageOf(error) });
      }
    }
  }
}
