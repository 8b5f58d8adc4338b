import { hex, type OrderedStore } from '@_all_docs/cache';

const PREFIX = 'v1:owner:';

/**
 * A worker's name beside its leases. A lease holds while its owner has a row here: whoever opens the store alone
 * knows that all owners are dead, and removes their rows.
 */
export class Owner {
  readonly id: string;
  readonly #store: OrderedStore;

  constructor(store: OrderedStore, random: () => number) {
    this.#store = store;
    this.id = Math.floor(random() * 2 ** 52).toString(36);
  }

  async register(now: number): Promise<void> {
    await this.#store.commit([{ key: PREFIX + hex(this.id), value: String(now) }]);
  }

  async leave(): Promise<void> {
    await this.#store.commit([{ key: PREFIX + hex(this.id), value: undefined }]);
  }

  isAlive = async (id: string): Promise<boolean> => (await this.#store.get(PREFIX + hex(id))) !== undefined;
}

/** What all owners' rows begin with. */
export const OWNER_PREFIX: string = PREFIX;
