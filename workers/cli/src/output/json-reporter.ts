import type { BootstrapEvent, BootstrapResult, ProgressEvent } from '@_all_docs/worker';
import type { Io } from '../io.js';
import type { Reporter } from './reporter.js';

const EVERY_MS = 1_000;

/** One JSON event a line on stdout; progress at most once a second, and once more when a phase ends. */
export class JsonReporter implements Reporter {
  readonly #io: Io;
  #printedAt = 0;
  #held: ProgressEvent | undefined;

  constructor(io: Io) {
    this.#io = io;
  }

  event(event: BootstrapEvent): void {
    if (event.type !== 'progress') {
      this.#flush();
      this.#print(event);
      return;
    }
    this.#held = event;
    if (Date.now() - this.#printedAt >= EVERY_MS) this.#flush();
  }

  async end(result: BootstrapResult, exitCode: number): Promise<void> {
    this.#flush();
    if (result.reason) this.#print({ type: 'error', ...result.reason });
    this.#print({ type: 'done', exitCode, ...result });
  }

  async abandon(): Promise<void> {
    this.#flush();
  }

  #flush(): void {
    if (this.#held) this.#print(this.#held);
    this.#held = undefined;
    this.#printedAt = Date.now();
  }

  #print(event: object): void {
    this.#io.out(`${JSON.stringify(event)}\n`);
  }
}
