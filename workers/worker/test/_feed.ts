import { compareBytes, MemoryStorageDriver } from '@_all_docs/cache';
import { ChangeLog, readCursor } from '@_all_docs/changes';
import { MemoryBlobBackend, Store } from '@_all_docs/content';
import {
  type Clock,
  HttpError,
  type StreamingTransport,
  type Transport,
  type TransportRequest,
  type TransportResponse,
} from '@_all_docs/http';
import { ReplicaOrigin } from '@_all_docs/origin';
import { NpmRegistry } from '@_all_docs/registry';
import type { Env } from '@_all_docs/worker';
import { createHash } from 'node:crypto';
import { json } from './_env.ts';

const ORIGIN = 'https://replicate.example';
const REGISTRY = 'https://registry.example';
const REPLICA = 'https://replica.example';

/** Time that passes only while somebody waits, and then at once. */
class EagerClock implements Clock {
  time = Date.UTC(2025, 0, 15);

  now = (): number => this.time;

  sleep = async (ms: number, signal?: AbortSignal): Promise<void> => {
    signal?.throwIfAborted();
    this.time += ms;
  };
}

interface Row {
  seq: number;
  rev: string;
  deleted: boolean;
}

/** A registry of a few packages with its feed; a cache before it keeps what was there when the cache was filled. */
export class FeedRegistry {
  /** Gives no documents, as long as this is so. */
  isDown = false;
  /** Held up before the cache answers for a document. */
  beforeCached: (name: string) => Promise<void> = async () => undefined;
  #seq = 0;
  #shift = 0;
  readonly #rows = new Map<string, Row>();
  #cached = new Map<string, Row>();

  publish(name: string): void {
    this.#change(name, false);
  }

  remove(name: string): void {
    this.#change(name, true);
  }

  /** A name that is gone without a word in the feed. */
  removeSilently(name: string): void {
    this.#rows.delete(name);
  }

  /** The cache takes what is there now, and keeps that. */
  fillCache(): void {
    this.#cached = new Map(this.#rows);
  }

  /** The feed's sequences begin anew: half of what they were. */
  beginAnew(): void {
    this.#shift = Math.ceil(this.#seq / 2);
  }

  transport = async ({ url }: TransportRequest): Promise<TransportResponse> => {
    const { origin, pathname, searchParams } = new URL(url);
    if (origin === REGISTRY) return this.#document(pathname.slice(1), searchParams.size > 0);
    if (pathname === '/_changes') return this.#changes(Number(searchParams.get('since')));
    if (pathname === '/_all_docs') return this.#listing(searchParams);
    return json({ doc_count: this.#live().length, update_seq: this.#seq - this.#shift });
  };

  #change(name: string, deleted: boolean): void {
    this.#seq += 1;
    const generation = Number.parseInt(this.#rows.get(name)?.rev ?? '0', 10) + 1;
    this.#rows.set(name, { seq: this.#seq, rev: `${generation}-abc`, deleted });
  }

  #live(): string[] {
    const live = [...this.#rows].filter(([, { deleted }]) => !deleted);
    return live.map(([name]) => name).sort(compareBytes);
  }

  async #document(name: string, isFresh: boolean): Promise<TransportResponse> {
    if (this.isDown) throw new HttpError('ERR_FETCH_FAILED', 'down', { status: 503 });
    if (!isFresh) await this.beforeCached(name);
    const row = (!isFresh && this.#cached.get(name)) || this.#rows.get(name);
    if (!row || row.deleted) return json({ error: 'Not found' }, 404);
    const { rev } = row;
    return json({ _id: name, _rev: rev, name, 'dist-tags': { latest: '1.0.0' }, versions: { '1.0.0': { name } } });
  }

  #changes(since: number): TransportResponse {
    const results = [...this.#rows]
      .map(([id, { seq, rev, deleted }]) => ({ seq: seq - this.#shift, id, changes: [{ rev }], deleted }))
      .filter(({ seq }) => seq > since)
      .sort((a, b) => a.seq - b.seq);
    return json({ results, last_seq: results.at(-1)?.seq ?? since });
  }

  #listing(query: URLSearchParams): TransportResponse {
    const start = JSON.parse(query.get('startkey') ?? '""') as string;
    const end = JSON.parse(query.get('endkey') ?? 'null') as string | null;
    const all = this.#live();
    const within = all.filter((name) => compareBytes(name, start) >= 0 && (!end || compareBytes(name, end) <= 0));
    const rows = within
      .slice(0, Number(query.get('limit')))
      .map((id) => ({ id, key: id, value: { rev: this.#rows.get(id)?.rev } }));
    return json({ total_rows: all.length, offset: 0, rows });
  }
}

/** A replica of it in memory, and what it serves while the feed is followed. */
export function replicaOf(origin: FeedRegistry) {
  const storage = new MemoryStorageDriver();
  const clock = new EagerClock();
  const env: Env & { clock: EagerClock; storage: MemoryStorageDriver } = {
    origin: ORIGIN,
    registry: REGISTRY,
    storage,
    transport: origin.transport,
    clock,
    random: () => 0.5,
  };
  const log = new ChangeLog({ ordered: storage.ordered, origin: ORIGIN });
  const registry = new NpmRegistry({
    env: {
      ...env,
      // Who asks here is not kept waiting: time that passes by waiting is the follower's.
      clock: { now: clock.now, sleep: () => new Promise(() => {}) },
      ordered: storage.ordered,
      announced: (name) => log.announced(name),
      blobs: new Store({
        backend: new MemoryBlobBackend(clock),
        hashers: {
          address: 'sha256',
          create() {
            const hash = createHash('sha256');
            return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
          },
        },
      }),
      streaming: () => Promise.reject(new Error('no tarball is asked for')),
    },
  });
  const ask = async (name: string): Promise<number> =>
    (await registry.handle(new Request(`http://replica.test/npm/${name}`), `/npm/${name}`)).status;
  return { env, log, registry, ask };
}

/** What another replica has in memory that takes this one for its origin and its registry. */
export function replicaOfReplica({ env, log, registry }: ReturnType<typeof replicaOf>): Env & { asked: string[] } {
  const { ordered } = env.storage;
  const head = async () => (await readCursor({ ordered, origin: ORIGIN }))?.cursor;
  const changes = { head, byName: log.byName.bind(log), after: log.after.bind(log) };
  const served = new ReplicaOrigin({ env: { ...env, ordered, changes } });
  const asked: string[] = [];
  const streaming: StreamingTransport = async ({ url, method = 'GET', headers = {}, body }) => {
    const target = url.slice(REPLICA.length);
    asked.push(target);
    const request = new Request(url, { method, headers, body: body ? Buffer.from(body) : null });
    const answer =
      (await served.answer({ method, url, headers: request.headers, body: request.body }, target)) ??
      (await registry.answer(request, target));
    const named = Array.from({ length: answer.headers.length / 2 }, (_, i) => answer.headers.slice(2 * i, 2 * i + 2));
    const sent = answer.body instanceof ReadableStream ? answer.body : [answer.body ?? new Uint8Array(0)];
    return { status: answer.status, headers: Object.fromEntries(named), body: ReadableStream.from(sent) };
  };
  const transport: Transport = async (request) => {
    const { status, headers, body } = await streaming(request);
    const bytes = new Uint8Array(await new Response(body as ReadableStream).arrayBuffer());
    const encoding = headers['content-encoding'] === 'gzip' ? 'gzip' : 'identity';
    return { status, headers, body: bytes, encoding };
  };
  const where = { origin: REPLICA, registry: `${REPLICA}/npm/`, storage: new MemoryStorageDriver() };
  return { ...env, ...where, transport, streaming, asked };
}
