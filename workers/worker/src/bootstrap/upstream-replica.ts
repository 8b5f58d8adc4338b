import { ReplicaClient, type ReplicaIndex } from '@_all_docs/origin';
import type { KeyRange, PartitionClient, RowTable } from '@_all_docs/partition';
import { codeOf } from '../errors.js';
import type { Context } from './context.js';

/** An origin that is a replica, and what it had to offer when it was asked. */
export class UpstreamReplica {
  readonly client: ReplicaClient;
  readonly #index: ReplicaIndex;
  /** Whether the documents that this run wants can be had in bulk. */
  readonly hasDocuments: boolean;

  private constructor(client: ReplicaClient, index: ReplicaIndex, hasDocuments: boolean) {
    this.client = client;
    this.#index = index;
    this.hasDocuments = hasDocuments;
  }

  /** `undefined` where the origin is no replica, or says nothing that is understood: then npm's protocol has to do. */
  static async of({ env, run, signal }: Pick<Context, 'env' | 'run' | 'signal'>): Promise<UpstreamReplica | undefined> {
    if (!run.before?.isReplica) return undefined;
    const client = new ReplicaClient({ env });
    try {
      const index = await client.index(signal);
      return index && new UpstreamReplica(client, index, client.hasDocuments(index, run.registry, run.form));
    } catch (error) {
      if (codeOf(error) === 'ERR_FETCH_FAILED' || codeOf(error) === 'ERR_BLOCKED') return undefined;
      throw error;
    }
  }

  /** Where its listing is cut. */
  get pivots(): string[] {
    return this.#index.partitions.flatMap(({ startKey }) => startKey ?? []);
  }

  /** Takes a partition over as it is stored there; `undefined` where that cannot be done. */
  async adopt(partitions: PartitionClient, range: KeyRange, signal: AbortSignal): Promise<RowTable | undefined> {
    const packed = await this.client.part(this.#index, range, signal);
    const rows = this.#index.partitions.find(({ startKey }) => startKey === range.startKey)?.rows;
    return packed && rows !== undefined ? partitions.adopt(range, packed, rows) : undefined;
  }
}
