import { badRequest, jsonAnswer, textAnswer } from './answer.ts';
import type { Answer } from './types.ts';
import type { World } from './world.ts';

const DEFAULT_LIMIT = 1000;

/** Why a request for a page is refused; the message goes into the 400. */
class BadQuery extends Error {}

export function rootAnswer(world: World, path: string): Answer {
  const engine = path === '/registry/' ? {} : { engine: 'npm-replicate' };
  return jsonAnswer(200, { db_name: 'registry', ...engine, doc_count: world.count, update_seq: world.updateSeq });
}

/** A page of `_all_docs` before it is written. */
export interface AllDocsPage {
  total: number;
  offset: number;
  ids: number[];
  start: Buffer | null;
  end: Buffer | null;
  inclusiveEnd: boolean;
}

/** `_all_docs`, with the parameters that the replication API takes; what it does not take is a 400. */
export function allDocsAnswer(
  world: World,
  query: URLSearchParams,
  pageLimit: number,
  bend: (page: AllDocsPage) => AllDocsPage = (page) => page,
): Answer {
  return answered(() => allDocsText(world, bend(allDocsPage(world, query, pageLimit))));
}

function allDocsPage(world: World, query: URLSearchParams, pageLimit: number): AllDocsPage {
  refuse(query, ['skip', 'keys', 'descending', 'start_key', 'end_key', 'endkey_docid', 'conflicts', 'stale']);
  refuseTrue(query, ['include_docs', 'update_seq']);
  const limit = limitOf(query, pageLimit);
  const key = keyOf(query, 'key');
  const start = key ?? keyOf(query, 'startkey') ?? docidOf(query);
  const end = key ?? keyOf(query, 'endkey');
  const inclusiveEnd = key !== null || query.get('inclusive_end') !== 'false';
  return { total: world.count, ...world.page(start, end, inclusiveEnd, limit), start, end, inclusiveEnd };
}

function allDocsText(world: World, page: AllDocsPage): string {
  const rows = page.ids.map((id) => {
    const text = JSON.stringify(world.nameOf(id));
    return `{"id":${text},"key":${text},"value":{"rev":"${world.rev(world.doc(id))}"}}`;
  });
  return `{"total_rows":${page.total},"offset":${page.offset},"rows":[\n${rows.join(',\n')}\n]}\n`;
}

/** `_changes`: a number and a limit, nothing else. */
export function changesAnswer(world: World, query: URLSearchParams, pageLimit: number): Answer {
  return answered(() => {
    refuse(query, ['feed', 'timeout', 'heartbeat', 'descending', 'doc_ids', 'filter']);
    refuseTrue(query, ['include_docs']);
    const since = sinceOf(query);
    const changes = world.changes(since, limitOf(query, pageLimit));
    const rows = changes.map(({ seq, id }) => {
      const doc = world.doc(id);
      const deleted = doc.removed === 'deleted' ? ',"deleted":true' : '';
      return `{"seq":${seq},"id":${JSON.stringify(doc.name)},"changes":[{"rev":"${world.rev(doc)}"}]${deleted}}`;
    });
    // With no rows the number that came is sent back, even one past the head: the real API's trap.
    return `{"results":[\n${rows.join(',\n')}\n],"last_seq":${changes.at(-1)?.seq ?? since}}\n`;
  });
}

function answered(write: () => string): Answer {
  try {
    return textAnswer(200, 'application/json', write());
  } catch (error) {
    if (error instanceof BadQuery) return badRequest(error.message);
    throw error;
  }
}

function refuse(query: URLSearchParams, names: readonly string[]): void {
  for (const name of names) if (query.has(name)) throw new BadQuery(`${name} is not supported`);
}

function refuseTrue(query: URLSearchParams, names: readonly string[]): void {
  refuse(
    query,
    names.filter((name) => query.get(name) !== 'false'),
  );
}

function limitOf(query: URLSearchParams, pageLimit: number): number {
  const limit = wholeNumber(query, 'limit') ?? Math.min(DEFAULT_LIMIT, pageLimit);
  if (limit > pageLimit) throw new BadQuery(`limit must not be above ${pageLimit}`);
  return limit;
}

function sinceOf(query: URLSearchParams): number {
  return wholeNumber(query, 'since') ?? 0;
}

function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new BadQuery(`${name} must be a whole number`);
  return Number(text);
}

/** A JSON-quoted key. `null` and absence are the same: no bound. */
function keyOf(query: URLSearchParams, name: string): Buffer | null {
  const text = query.get(name);
  if (text === null) return null;
  const value = parseKey(text, name);
  if (value === null) return null;
  if (typeof value !== 'string') throw new BadQuery(`${name} must be a JSON string`);
  return Buffer.from(value);
}

/** Seen both quoted and bare. */
function docidOf(query: URLSearchParams): Buffer | null {
  const text = query.get('startkey_docid');
  if (text === null) return null;
  return text.startsWith('"') ? keyOf(query, 'startkey_docid') : Buffer.from(text);
}

function parseKey(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new BadQuery(`${name} is not valid JSON`);
  }
}
