import type { RowChange, RowExpectation, RowRange } from '@_all_docs/cache';
import type { PublishedListing } from '@_all_docs/origin/edge';
import { DurableObject } from 'cloudflare:workers';
import type { Bindings } from './bindings.js';
import type { FeedState, NewsSince } from './feed.js';
import type { Replica } from './replica.js';

/**
 * The replica's own rows, one place for all workers: cursors, checkpoints, leases. Spoken to through `ReplicaStore`. It
 * follows the feed. Its methods are those of `Replica`, which is loaded when one is called.
 */
export class ReplicaObject extends DurableObject<Bindings> {
  #replica: Replica | undefined;

  async get(key: string): Promise<string | undefined> {
    return (await this.#open()).rows.get(key);
  }

  async page(range: RowRange): Promise<[key: string, value: string][]> {
    return (await this.#open()).rows.page(range);
  }

  async commit(changes: readonly RowChange[], expect?: readonly RowExpectation[]): Promise<boolean> {
    return (await this.#open()).rows.commit(changes, expect);
  }

  async follow(): Promise<FeedState | undefined> {
    return (await this.#open()).follow();
  }

  async state(): Promise<FeedState | undefined> {
    return (await this.#open()).feed.state();
  }

  async news(since: number): Promise<NewsSince> {
    return (await this.#open()).feed.since(since);
  }

  async settled(seq: number): Promise<void> {
    return (await this.#open()).feed.settled(seq);
  }

  async publish(listing: PublishedListing, cursor: number | undefined): Promise<void> {
    return (await this.#open()).publish(listing, cursor);
  }

  override async alarm(): Promise<void> {
    return (await this.#open()).alarm();
  }

  async #open(): Promise<Replica> {
    const { Replica } = await import('./rest.js');
    this.#replica ??= new Replica(this.ctx.storage, this.env);
    return this.#replica;
  }
}
