import { type Encoding, HttpError } from '@_all_docs/http';
import { type CheckedDocument, PackumentError } from '@_all_docs/packument';
import { Worker } from 'node:worker_threads';
import type { CheckTask } from './check-worker.js';

interface Waiting {
  resolve: (checked: CheckedDocument) => void;
  reject: (error: Error) => void;
}

interface Answer {
  id: number;
  checked?: CheckedDocument;
  code?: string;
  message?: string;
}

/** Threads that unpack and parse documents, so that the one that fetches them is never held up. Started at the first check. */
export class CheckPool {
  readonly #size: number;
  readonly #workers: Worker[] = [];
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** As `checkPackument` with `parse`: what the document says of itself, or its error. The bytes are copied to the thread. */
  check = (name: string, body: Uint8Array, encoding: Encoding): Promise<CheckedDocument> => {
    const id = this.#next++;
    const worker = this.#worker(id % this.#size);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ id, name, body, encoding } satisfies CheckTask);
    });
  };

  async close(): Promise<void> {
    await Promise.all(this.#workers.splice(0).map((worker) => worker.terminate()));
  }

  #worker(place: number): Worker {
    let worker = this.#workers[place];
    if (!worker) {
      worker = new Worker(new URL('./check-worker.js', import.meta.url));
      worker.on('message', (answer: Answer) => this.#settle(answer));
      worker.on('error', (error) => this.#fail(error as Error));
      this.#workers[place] = worker;
    }
    return worker;
  }

  #settle({ id, checked, code, message = '' }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (checked) waiting?.resolve(checked);
    else waiting?.reject(errorOf(code, message));
  }

  /** A thread that dies takes nobody's promise with it: all are told, and the next check starts threads anew. */
  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    void this.close();
  }
}

/** Errors lose their class on the way between threads; the code says which it was. */
function errorOf(code: string | undefined, message: string): Error {
  if (code === 'ERR_BAD_PACKUMENT') return new PackumentError(code, message);
  if (code === 'ERR_ENCODING' || code === 'ERR_TOO_LARGE') return new HttpError(code, message);
  return new Error(message);
}
