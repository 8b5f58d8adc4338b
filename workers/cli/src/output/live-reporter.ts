import type { BootstrapEvent, BootstrapResult, Depth, Phase, Selection } from '@_all_docs/worker';
import { Listr, ListrLogger, type ListrTaskWrapper, ProcessOutput } from 'listr2';
import type { Io } from '../io.js';
import type { Reporter } from './reporter.js';
import { describeProgress, describeResult, PHASE_NAMES } from './words.js';

// biome-ignore lint/suspicious/noExplicitAny: listr2 names its renderers in the type; any of them will do
type Task = ListrTaskWrapper<any, any, any>;

/** What follows the listing. */
const FETCHING: Record<Depth, Phase[]> = {
  names: [],
  packuments: ['fetch'],
  tarballs: ['fetch', 'tarballs'],
};

/** Live progress on a terminal: one line a phase, rewritten in place. */
export class LiveReporter implements Reporter {
  readonly #io: Io;
  readonly #phases: Phase[];
  readonly #tasks = new Map<Phase, Task>();
  readonly #endings = new Map<Phase, () => void>();
  readonly #shown: Promise<unknown>;
  #current: Phase | undefined;

  constructor(io: Io, terminal: NodeJS.WriteStream, selection: Selection, depth: Depth) {
    this.#io = io;
    const listing: Phase[] = selection.kind === 'range' ? ['list', 'prove'] : [];
    this.#phases = [...listing, ...FETCHING[depth]];
    const tasks = this.#phases.map((phase) => ({
      title: PHASE_NAMES[phase],
      task: (_: unknown, task: Task) => this.#run(phase, task),
    }));
    // Progress belongs on stderr: stdout stays free for results.
    const logger = new ListrLogger({ processOutput: new ProcessOutput(terminal, terminal) });
    this.#shown = new Listr(tasks, {
      concurrent: false,
      registerSignalListeners: false,
      rendererOptions: { logger },
    }).run();
  }

  event(event: BootstrapEvent): void {
    if (event.type === 'phase') this.#begin(event.phase);
    if (event.type !== 'progress') return;
    const task = this.#tasks.get(event.phase);
    if (task) task.title = `${PHASE_NAMES[event.phase]}: ${describeProgress(event)}`;
  }

  async end(result: BootstrapResult): Promise<void> {
    await this.abandon();
    this.#io.err(`\n${describeResult(result)}`);
  }

  async abandon(): Promise<void> {
    this.#current = undefined;
    for (const phase of this.#phases) this.#finish(phase);
    await this.#shown;
  }

  #begin(phase: Phase): void {
    for (const before of this.#phases.slice(0, this.#phases.indexOf(phase))) this.#finish(before);
    this.#current = phase;
  }

  #finish(phase: Phase): void {
    const end = this.#endings.get(phase);
    if (end) end();
    else this.#endings.set(phase, () => {});
  }

  /** The task of a phase lasts until the phase is over; listr2 draws meanwhile. */
  #run(phase: Phase, task: Task): Promise<void> | undefined {
    this.#tasks.set(phase, task);
    if (this.#endings.has(phase)) {
      if (this.#current === undefined) task.skip();
      return undefined;
    }
    return new Promise((resolve) => this.#endings.set(phase, resolve));
  }
}
