import { encodeOrigin, hex, type OrderedStore, prefixRange, unhex } from '@_all_docs/cache';
import { codeOf, messageOf } from '../errors.js';

/** A name that could not be fetched (`failed`) or that the registry has no document for (`absent`). */
export interface Outcome {
  name: string;
  kind: 'absent' | 'failed';
  at: number;
  status?: number | undefined;
  code?: string | undefined;
  message?: string | undefined;
}

/** What became of the names that have no fresh document, one row each. A name that is fetched loses its row. */
export class Outcomes {
  readonly #store: OrderedStore;
  readonly #prefix: string;
  readonly #known = new Set<string>();

  constructor(store: OrderedStore, registry: string) {
    this.#store = store;
    this.#prefix = `v1:outcome:${encodeOrigin(registry)}:`;
  }

  /** Learns which names have a row, so that a success costs nothing for all the others. */
  async load(): Promise<void> {
    for await (const { name } of this.list()) this.#known.add(name);
  }

  async absent(name: string, status: number, at: number): Promise<void> {
    await this.#put({ name, kind: 'absent', status, at });
  }

  async failed(name: string, error: unknown, at: number): Promise<void> {
    await this.#put({ name, kind: 'failed', at, code: codeOf(error), message: messageOf(error) });
  }

  async fetched(name: string): Promise<void> {
    if (this.#known.delete(name)) await this.#store.commit([{ key: this.#prefix + hex(name), value: undefined }]);
  }

  async *list(): AsyncIterable<Outcome> {
    for await (const [key, text] of this.#store.list(prefixRange(this.#prefix))) {
      yield { name: unhex(key.slice(this.#prefix.length)) as string, ...JSON.parse(text) };
    }
  }

  async #put({ name, ...rest }: Outcome): Promise<void> {
    this.#known.add(name);
    await this.#store.commit([{ key: this.#prefix + hex(name), value: JSON.stringify(rest) }]);
  }
}
