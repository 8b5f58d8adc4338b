import { compareBytes, MemoryStorageDriver } from '@_all_docs/cache';
import { type Change, type ChangeSource, publishListing, ReplicaOrigin } from '@_all_docs/origin';
import { type KeyRange, PartitionClient } from '@_all_docs/partition';
import { gunzipSync } from 'node:zlib';

export const ORIGIN = 'https://replicate.example.test';
export const REGISTRY = 'https://registry.example.test';
const NOW = Date.UTC(2026, 0, 1);

export const inOrder = (names: Iterable<string>): string[] => [...names].sort(compareBytes);

/** What was followed, in memory. */
class Log implements ChangeSource {
  readonly rows = new Map<string, Change>();

  add(change: Change): void {
    this.rows.set(change.name, change);
  }

  async after(since: number, limit: number): Promise<Change[]> {
    const rows = [...this.rows.values()].filter(({ seq }) => seq > since).sort((a, b) => a.seq - b.seq);
    return rows.slice(0, limit);
  }

  async *byName({ startKey, endKey }: KeyRange): AsyncIterable<Change> {
    for (const name of inOrder(this.rows.keys())) {
      if (startKey !== null && compareBytes(name, startKey) < 0) continue;
      if (endKey !== null && compareBytes(name, endKey) >= 0) return;
      yield this.rows.get(name) as Change;
    }
  }

  async head(): Promise<number | undefined> {
    return this.rows.size === 0 ? undefined : Math.max(...Array.from(this.rows.values(), ({ seq }) => seq));
  }
}

export interface Asked {
  status: number;
  headers: Record<string, string>;
  bytes: Buffer;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: what the wire carries
  json: any;
}

/** A replica in memory: a listing that can be replaced, a log, and the routes over both. */
export function replica(options: ConstructorParameters<typeof ReplicaOrigin>[0]['options'] = {}) {
  const storage = new MemoryStorageDriver();
  const { ordered } = storage;
  const log = new Log();
  const clock = { now: () => NOW };
  const transport = () => Promise.reject(new Error('nobody is to be asked'));
  const env = { origin: ORIGIN, registry: REGISTRY, storage, ordered, transport, clock, changes: log };
  const partitions = new PartitionClient({ env });
  const origin = new ReplicaOrigin({ env, options });
  let listings = 0;

  /** Stores names with their revisions, cut at these boundaries, and shows them. */
  async function list(revs: ReadonlyMap<string, string>, cuts: readonly string[], updateSeq: number | undefined) {
    const starts = [null, ...inOrder(new Set(cuts))];
    const names = inOrder(revs.keys());
    const stored = [];
    for (const [i, startKey] of starts.entries()) {
      const endKey = starts[i + 1] ?? null;
      const inside = names.filter(
        (name) =>
          (startKey === null || compareBytes(name, startKey) >= 0) &&
          (endKey === null || compareBytes(name, endKey) < 0),
      );
      const rows = inside.map((id) => ({ id, key: id, value: { rev: revs.get(id) as string } }));
      await partitions.store({ startKey, endKey }, rows, names.length);
      stored.push({ startKey, endKey, rows: rows.length });
    }
    listings += 1;
    return publishListing({ storage, ordered }, { origin: ORIGIN, updateSeq, partitions: stored, at: NOW + listings });
  }

  async function ask(
    target: string,
    { method = 'GET', headers = {}, body }: { method?: string; headers?: Record<string, string>; body?: string } = {},
  ): Promise<Asked> {
    const answer = await origin.answer(
      {
        method,
        url: 'http://replica.test/',
        headers: { get: (name) => headers[name] ?? null },
        body: body === undefined ? null : pieces(body),
      },
      target,
    );
    if (!answer) throw new Error(`${target} is none of its paths`);
    const bytes = Buffer.from(await new Response((answer.body ?? null) as never).arrayBuffer());
    const said: Record<string, string> = {};
    for (let i = 0; i < answer.headers.length; i += 2)
      said[answer.headers[i] as string] = answer.headers[i + 1] as string;
    const text = (said['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString();
    const isJson = said['content-type'] === 'application/json';
    return { status: answer.status, headers: said, bytes, text, json: isJson ? JSON.parse(text) : undefined };
  }

  return { storage, ordered, log, env, origin, list, ask };
}

async function* pieces(text: string): AsyncIterable<Uint8Array> {
  yield new TextEncoder().encode(text);
}
