import type { Io } from '../io.js';
import { describeProgress, type Progress } from './words.js';

/** What work over what is stored tells. */
type WorkEvent =
  | { type: 'progress'; done: number; total: number; errors: number }
  | { type: 'error'; code: string; message: string; key: string };

const EVERY_MS = 2_000;

/** Progress on stderr every few seconds, as events on stdout where asked for; damage at once, on stderr in either case. */
export function createWorkReporter(title: string, json: boolean, io: Io): (event: WorkEvent) => void {
  const began = Date.now();
  let printed = began;
  return (event) => {
    if (event.type === 'error') {
      io.err(`${event.code}: ${event.message}\n`);
      if (json) io.out(`${JSON.stringify(event)}\n`);
      return;
    }
    const now = Date.now();
    if (now - printed < EVERY_MS && event.done < event.total) return;
    printed = now;
    const progress = progressOf(event, now - began);
    if (json) io.out(`${JSON.stringify({ type: 'progress', ...progress })}\n`);
    else io.err(`${title}: ${describeProgress(progress)}\n`);
  };
}

function progressOf({ done, total, errors }: { done: number; total: number; errors: number }, ms: number): Progress {
  const rate = ms > 0 ? (1000 * done) / ms : 0;
  const etaSeconds = rate > 0 ? Math.round((total - done) / rate) : undefined;
  return { done, total, rate: Math.round(rate * 10) / 10, etaSeconds, errors, throttled: 0, pausedSeconds: 0 };
}
