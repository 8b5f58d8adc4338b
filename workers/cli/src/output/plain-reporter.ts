import type { BootstrapEvent, BootstrapResult, ProgressEvent } from '@_all_docs/worker';
import type { Io } from '../io.js';
import type { Reporter } from './reporter.js';
import { describeProgress, describeResult, PHASE_NAMES } from './words.js';

const EVERY_MS = 10_000;
const MOST_ERRORS = 20;

/** Plain lines on stderr for logs: one at each phase, one every ten seconds, the first errors, the result. */
export class PlainReporter implements Reporter {
  readonly #io: Io;
  #printedAt = 0;
  #errors = 0;

  constructor(io: Io) {
    this.#io = io;
  }

  event(event: BootstrapEvent): void {
    if (event.type === 'progress') this.#progress(event);
    else if (event.type === 'error') this.#error(event);
    else if (event.type === 'phase') this.#io.err(`${PHASE_NAMES[event.phase]}\n`);
    else if (event.type === 'start' && event.resumed) this.#io.err('going on where the last run stopped\n');
    if (event.type === 'phase') this.#printedAt = Date.now();
  }

  async end(result: BootstrapResult): Promise<void> {
    this.#io.err(describeResult(result));
  }

  async abandon(): Promise<void> {}

  #progress(event: ProgressEvent): void {
    if (Date.now() - this.#printedAt < EVERY_MS) return;
    this.#printedAt = Date.now();
    this.#io.err(`${PHASE_NAMES[event.phase]}: ${describeProgress(event)}\n`);
  }

  #error({ code, message }: { code: string; message: string }): void {
    this.#errors += 1;
    if (this.#errors <= MOST_ERRORS) this.#io.err(`${code}: ${message}\n`);
    if (this.#errors === MOST_ERRORS) this.#io.err('(further errors are counted; see them with: _all_docs status)\n');
  }
}
