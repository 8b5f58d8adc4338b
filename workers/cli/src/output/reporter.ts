import type { BootstrapEvent, BootstrapResult, Depth, Selection } from '@_all_docs/worker';
import type { Io } from '../io.js';
import { JsonReporter } from './json-reporter.js';
import { PlainReporter } from './plain-reporter.js';

/** Shows a bootstrap while it works. */
export interface Reporter {
  event(event: BootstrapEvent): void;
  /** The last word; resolves when it is shown. */
  end(result: BootstrapResult, exitCode: number): Promise<void>;
  /** Takes down what is on the screen, before an error is shown. */
  abandon(): Promise<void>;
}

/** NDJSON where asked for; on a terminal live progress; else a plain line every ten seconds. */
export async function createReporter(
  io: Io,
  { json, selection, depth }: { json: boolean; selection: Selection; depth: Depth },
): Promise<Reporter> {
  if (json) return new JsonReporter(io);
  if (!io.terminal) return new PlainReporter(io);
  // Loaded only where it is seen.
  const { LiveReporter } = await import('./live-reporter.js');
  return new LiveReporter(io, io.terminal, selection, depth);
}
