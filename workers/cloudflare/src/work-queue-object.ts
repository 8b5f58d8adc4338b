import type { Lease, QueueSize, WorkItem, WorkResult } from '@_all_docs/worker/queues';
import { DurableObject } from 'cloudflare:workers';
import type { Bindings } from './bindings.js';
import type { TakeOptions, WorkItems } from './work-items.js';

/**
 * A work queue in the storage of one Durable Object: nothing of it lives in memory, so it may be evicted at any time. Spoken
 * to through `DurableObjectQueue`, or by `POST /enqueue` with a work item, or a list of them, as JSON. Its methods are
 * those of `WorkItems`, which is loaded when one is called.
 */
export class WorkQueueObject extends DurableObject<Bindings> {
  protected readonly clock: { now(): number } = Date;
  #items: WorkItems | undefined;

  /** Does the work where nobody leases it: an object that has this is woken by alarms while items are due. */
  protected process?(item: WorkItem): Promise<WorkResult>;

  override async fetch(request: Request): Promise<Response> {
    return (await this.#open()).fetch(request);
  }

  async enqueue(items: WorkItem[]): Promise<void> {
    return (await this.#open()).enqueue(items);
  }

  async take(options?: TakeOptions): Promise<Lease[] | undefined> {
    return (await this.#open()).take(options);
  }

  async ack(leases: string[]): Promise<void> {
    return (await this.#open()).ack(leases);
  }

  async fail(leases: string[], error: string): Promise<void> {
    return (await this.#open()).fail(leases, error);
  }

  async release(leases: string[]): Promise<void> {
    return (await this.#open()).release(leases);
  }

  async size(): Promise<QueueSize> {
    return (await this.#open()).size();
  }

  async dead(limit?: number): Promise<{ item: WorkItem; error: string }[]> {
    return (await this.#open()).dead(limit);
  }

  override async alarm(): Promise<void> {
    return (await this.#open()).alarm();
  }

  async #open(): Promise<WorkItems> {
    const { WorkItems } = await import('./rest.js');
    const { clock, process } = this;
    this.#items ??= new WorkItems(this.ctx.storage, { clock, process });
    return this.#items;
  }
}
