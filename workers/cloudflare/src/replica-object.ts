import type { RowChange, RowExpectation, RowRange } from '@_all_docs/cache';
import { DurableObject } from 'cloudflare:workers';
import type { Bindings } from './bindings.js';
import { DurableObjectOrderedStore } from './durable-object-ordered-store.js';

/** The replica's own rows, one place for all workers: cursors, checkpoints, leases. Spoken to through `ReplicaStore`. */
export class ReplicaObject extends DurableObject<Bindings> {
  readonly rows = new DurableObjectOrderedStore(this.ctx.storage);

  get(key: string): Promise<string | undefined> {
    return this.rows.get(key);
  }

  /** Up to 1,000 rows of a range. */
  page(range: RowRange): [key: string, value: string][] {
    return this.rows.page(range);
  }

  commit(changes: readonly RowChange[], expect?: readonly RowExpectation[]): Promise<boolean> {
    return this.rows.commit(changes, expect);
  }
}
