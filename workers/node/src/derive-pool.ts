import type { Encoding } from '@_all_docs/http';
import { PackumentError } from '@_all_docs/packument';
import { type CheckedAndDerived, checkAndDerive, type DeriveOptions, deriveDocument } from '@_all_docs/registry';
import { Worker } from 'node:worker_threads';
import type { DeriveReply, DeriveTask } from './derive-worker.js';
import { zlibCodec } from './zlib-codec.js';

/** Below this the way to another thread and back costs more than the work. */
const SMALL_BYTES = 16 * 1024;
/** A thread that had nothing to do for so long is let go: it holds memory. */
const IDLE_MS = 10_000;

interface Job {
  task: DeriveTask;
  resolve: (reply: DeriveReply) => void;
  reject: (error: Error) => void;
}

/** Makes documents out of others on threads of their own, one at a time on each, so that no large one holds up the answers to others. */
export class DerivePool {
  readonly #size: number;
  readonly #idleMs: number;
  readonly #script: URL;
  readonly #waiting: Job[] = [];
  readonly #busy = new Map<Worker, Job>();
  readonly #idle = new Map<Worker, NodeJS.Timeout>();

  constructor(size: number, idleMs = IDLE_MS, script = new URL('./derive-worker.js', import.meta.url)) {
    this.#size = size;
    this.#idleMs = idleMs;
    this.#script = script;
  }

  /** As `deriveDocument`. The source is copied to the thread. */
  derive = (source: Uint8Array, encoding: Encoding, options: DeriveOptions): Promise<Uint8Array> => {
    if (source.length < SMALL_BYTES) return deriveDocument(source, encoding, options, zlibCodec);
    return this.#do({ source, encoding, options, check: false }).then(({ made }) => made as Uint8Array);
  };

  /** As `checkAndDerive`. The source is copied to the thread. */
  checkAndDerive = async (
    source: Uint8Array,
    encoding: Encoding,
    options: DeriveOptions,
  ): Promise<CheckedAndDerived | undefined> => {
    if (source.length < SMALL_BYTES) return checkAndDerive(source, encoding, options, zlibCodec);
    const { made, checked } = await this.#do({ source, encoding, options, check: true });
    return made && checked && { made, checked };
  };

  /** Starts a thread, for the first who will need one. */
  warmUp(): void {
    if (this.#busy.size === 0 && this.#idle.size === 0) this.#rest(this.#start());
  }

  async close(): Promise<void> {
    const threads = [...this.#busy.keys(), ...this.#idle.keys()];
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('the server is closed'));
    for (const timer of this.#idle.values()) clearTimeout(timer);
    await Promise.all(threads.map((thread) => thread.terminate()));
  }

  #do(task: DeriveTask): Promise<DeriveReply> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#waiting.length === 0) return;
    const thread = this.#take();
    if (!thread) return;
    const job = this.#waiting.shift() as Job;
    this.#busy.set(thread, job);
    thread.postMessage(job.task);
  }

  /** A thread that has nothing to do; `undefined` while all are at work. */
  #take(): Worker | undefined {
    const [idle] = this.#idle;
    if (idle) {
      const [thread, timer] = idle;
      clearTimeout(timer);
      this.#idle.delete(thread);
      return thread;
    }
    return this.#busy.size < this.#size ? this.#start() : undefined;
  }

  #start(): Worker {
    const thread = new Worker(this.#script);
    thread.unref();
    thread.on('message', (reply: DeriveReply) => this.#onReply(thread, reply));
    thread.on('error', (error) => this.#onDeath(thread, error as Error));
    thread.on('exit', () => this.#onDeath(thread, new Error('the thread that derived it ended')));
    return thread;
  }

  #onReply(thread: Worker, reply: DeriveReply): void {
    const job = this.#busy.get(thread);
    this.#busy.delete(thread);
    this.#rest(thread);
    if (reply.error) job?.reject(errorOf(reply.error));
    else job?.resolve(reply);
    this.#next();
  }

  #rest(thread: Worker): void {
    const letGo = () => {
      // Out of the way first: it takes a while to end, and must not be given work meanwhile.
      this.#idle.delete(thread);
      void thread.terminate();
    };
    this.#idle.set(thread, setTimeout(letGo, this.#idleMs).unref());
  }

  /** Takes nobody else's work with it. */
  #onDeath(thread: Worker, error: Error): void {
    clearTimeout(this.#idle.get(thread));
    this.#idle.delete(thread);
    this.#busy.get(thread)?.reject(error);
    this.#busy.delete(thread);
    this.#next();
  }
}

/** Errors lose their class on the way between threads; the code says which it was. */
function errorOf({ code, message }: { code: string | undefined; message: string }): Error {
  if (code === 'ERR_BAD_PACKUMENT') return new PackumentError(code, message);
  return Object.assign(new Error(message), code === undefined ? {} : { code });
}
