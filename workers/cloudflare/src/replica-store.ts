import type { OrderedStore, RowChange, RowExpectation, RowRange } from '@_all_docs/cache';
import { reading, writing } from './entry.js';
import type { ReplicaObject } from './replica-object.js';
import { listPages } from './rows.js';

/** The rows of a `ReplicaObject`, as a worker sees them. A lost connection leaves open whether a commit was made. */
export class ReplicaStore implements OrderedStore {
  readonly #object: Pick<ReplicaObject, 'get' | 'page' | 'commit'>;

  constructor(object: DurableObjectStub<ReplicaObject>) {
    // The stub's own type is as deep as the values that it carries.
    this.#object = object as unknown as ReplicaObject;
  }

  get(key: string): Promise<string | undefined> {
    return reading(key, this.#object.get(key));
  }

  list(range: RowRange = {}): AsyncIterable<[key: string, value: string]> {
    return listPages(range, async (asked) => reading(asked.start ?? '', Promise.resolve(this.#object.page(asked))));
  }

  commit(changes: readonly RowChange[], expect?: readonly RowExpectation[]): Promise<boolean> {
    return writing(changes[0]?.key ?? '', this.#object.commit(changes, expect));
  }
}
