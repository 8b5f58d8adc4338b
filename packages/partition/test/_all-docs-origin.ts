import { compareBytes, MemoryStorageDriver } from '@_all_docs/cache';
import type { Transport, TransportRequest, TransportResponse } from '@_all_docs/http';
import { type AllDocsRow, PartitionClient } from '@_all_docs/partition';
import { gzipSync } from 'node:zlib';

export interface Question {
  startKey: string | null;
  endKey: string | null;
  limit: number;
}

export const row = (id: string, rev = `1-${id.length}`): AllDocsRow => ({ id, key: id, value: { rev } });
export const idsOf = (rows: readonly AllDocsRow[]): string[] => rows.map(({ id }) => id);

export function answer(body: string | object, status = 200): TransportResponse {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: new TextEncoder().encode(text),
    encoding: 'identity',
  };
}

/** What a request asks for: keys are JSON inside the percent-encoding. */
export function questionOf({ url }: TransportRequest): Question {
  const asked = new URL(url).searchParams;
  const key = (name: string) => (asked.has(name) ? (JSON.parse(asked.get(name) as string) as string) : null);
  return { startKey: key('startkey'), endKey: key('endkey'), limit: Number(asked.get('limit')) };
}

/** `_all_docs` over sorted names: both keys inclusive, at most `cap` rows a page. */
export class AllDocsOrigin {
  readonly rows: AllDocsRow[];
  readonly requests: TransportRequest[] = [];
  readonly transport: Transport;
  /** Changes a page before it is sent; the number of the request begins with 1. */
  tamper: (rows: AllDocsRow[], question: Question, request: number) => AllDocsRow[] | TransportResponse = (rows) =>
    rows;

  constructor(names: Iterable<string>, cap: number | (() => number) = 10_000) {
    this.rows = [...new Set(names)].sort(compareBytes).map((name) => row(name));
    this.transport = async (request) => {
      this.requests.push(request);
      const question = questionOf(request);
      const first = question.startKey === null ? 0 : this.#lowerBound(question.startKey);
      const most = Math.min(question.limit, typeof cap === 'number' ? cap : cap());
      const page = this.rows
        .slice(first, first + most)
        .filter(({ id }) => question.endKey === null || compareBytes(id, question.endKey) <= 0);
      const sent = this.tamper(page, question, this.requests.length);
      if (!Array.isArray(sent)) return sent;
      const plain = answer({ total_rows: this.rows.length, offset: first, rows: sent });
      return this.requests.length % 2 ? plain : { ...plain, body: gzipSync(plain.body), encoding: 'gzip' };
    };
  }

  get questions(): Question[] {
    return this.requests.map(questionOf);
  }

  #lowerBound(key: string): number {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes(this.rows[middle]?.id as string, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export const ORIGIN = 'https://replicate.example';

/** A client of an origin with a memory of its own and a clock that stands where it is put. */
export function clientOf({ transport }: { transport: Transport }, storage = new MemoryStorageDriver()) {
  const clock = { time: 1_750_000_000_000, now: () => clock.time };
  return { client: new PartitionClient({ env: { origin: ORIGIN, transport, clock, storage } }), clock, storage };
}

export async function codeOf(work: () => unknown): Promise<string | undefined> {
  try {
    await work();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return undefined;
}
