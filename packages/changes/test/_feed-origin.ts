import type { Transport } from '@_all_docs/http';

export const ORIGIN = 'https://registry.example.test';

interface Doc {
  name: string;
  seq: number;
  generation: number;
  deleted: boolean;
}

interface WireRow {
  seq: unknown;
  id: unknown;
  changes?: unknown;
  deleted?: boolean;
}

export interface WirePage {
  results: WireRow[];
  last_seq: unknown;
}

/**
 * An origin in memory that answers `/` and `/_changes` as npm does: one row per document at its latest sequence, a
 * `since` past the head sent back. What it answers can be bent by a test.
 */
export class FeedOrigin {
  readonly docs = new Map<string, Doc>();
  head: number;
  /** Requests by path without its query. */
  readonly asked: Record<string, number> = {};
  /** Changes a page before it is written. */
  bend: (page: WirePage, query: { since: number; limit: number }) => WirePage = (page) => page;
  /** Changes a whole body before it is sent. */
  cut: (body: string, path: string) => string = (body) => body;
  /** What the root says in place of the head. */
  updateSeq: () => unknown = () => this.head;

  constructor(head = 1_000_000) {
    this.head = head;
  }

  publish(name: string, deleted = false): void {
    this.head += 1 + (name.length % 3);
    const generation = (this.docs.get(name)?.generation ?? 0) + 1;
    this.docs.set(name, { name, seq: this.head, generation, deleted });
  }

  /** An epoch change: all numbers are other ones. */
  shift(by: number): void {
    this.head += by;
    for (const doc of this.docs.values()) doc.seq += by;
  }

  /** The origin as it was: what happened since is lost. */
  snapshot(): () => void {
    const { head } = this;
    const docs = [...this.docs.values()].map((doc) => ({ ...doc }));
    return () => {
      this.head = head;
      this.docs.clear();
      for (const doc of docs) this.docs.set(doc.name, { ...doc });
    };
  }

  rev(name: string): string | undefined {
    const doc = this.docs.get(name);
    return doc && !doc.deleted ? revOf(doc) : undefined;
  }

  /** Live names and their revisions: what a listing gives. */
  listing(): Map<string, string> {
    return new Map([...this.docs.values()].filter(({ deleted }) => !deleted).map((doc) => [doc.name, revOf(doc)]));
  }

  page(since: number, limit: number): WirePage {
    const due = [...this.docs.values()].filter(({ seq }) => seq > since).sort((a, b) => a.seq - b.seq);
    const results = due.slice(0, limit).map(toRow);
    return this.bend({ results, last_seq: results.at(-1)?.seq ?? since }, { since, limit });
  }

  readonly transport: Transport = async ({ url }) => {
    const path = url.slice(ORIGIN.length);
    const bare = path.replace(/\?.*/, '');
    this.asked[bare] = (this.asked[bare] ?? 0) + 1;
    return json(this.cut(JSON.stringify(this.#answer(path)), bare));
  };

  #answer(path: string): unknown {
    const query = /^\/_changes\?since=(\d+)&limit=(\d+)$/.exec(path);
    if (query) return this.page(Number(query[1]), Number(query[2]));
    if (path !== '/') throw new Error(`the follower asked for ${path}`);
    return { db_name: 'registry', doc_count: this.listing().size, update_seq: this.updateSeq() };
  }
}

export function json(body: string, status = 200) {
  const headers = { 'content-type': 'application/json' };
  return { status, headers, body: new TextEncoder().encode(body), encoding: 'identity' as const };
}

function toRow(doc: Doc): WireRow & { seq: number } {
  return { seq: doc.seq, id: doc.name, changes: [{ rev: revOf(doc) }], ...(doc.deleted ? { deleted: true } : {}) };
}

function revOf({ name, generation }: Doc): string {
  return `${generation}-${name}`;
}
