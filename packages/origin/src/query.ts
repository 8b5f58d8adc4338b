import { PAGE_LIMIT } from '@_all_docs/partition';
import { OriginError } from './errors.js';

const DEFAULT_LIMIT = 1_000;
/** What npm's replication API refuses, or nobody has seen it take. */
const NOT_LISTED = ['skip', 'keys', 'descending', 'start_key', 'end_key', 'endkey_docid', 'conflicts', 'stale'];
const NOT_FOLLOWED = ['feed', 'timeout', 'heartbeat', 'descending', 'doc_ids', 'filter', 'last-event-id'];

/** Which rows of `_all_docs` are asked for; `null` is no bound. */
export interface AllDocsQuery {
  start: string | null;
  end: string | null;
  inclusiveEnd: boolean;
  limit: number;
}

/** Reads the query of `_all_docs` as npm does: 1,000 rows unless told, 10,000 at most. `ERR_BAD_QUERY` for what it answers 400 to. */
export function parseAllDocsQuery(query: URLSearchParams): AllDocsQuery {
  refuse(query, NOT_LISTED);
  refuseTrue(query, ['include_docs', 'update_seq']);
  const limit = limitOf(query);
  const key = keyOf(query, 'key');
  if (key !== null) return { start: key, end: key, inclusiveEnd: true, limit };
  const start = keyOf(query, 'startkey') ?? docidOf(query);
  return { start, end: keyOf(query, 'endkey'), inclusiveEnd: query.get('inclusive_end') !== 'false', limit };
}

/** Reads the query of `_changes`: a number and a limit, nothing else. `ERR_BAD_QUERY` for what npm answers 400 to. */
export function parseChangesQuery(query: URLSearchParams): { since: number; limit: number } {
  refuse(query, NOT_FOLLOWED);
  refuseTrue(query, ['include_docs']);
  return { since: wholeNumber(query, 'since') ?? 0, limit: limitOf(query) };
}

/** A range of names with inclusive ends, each a JSON string. */
export function parseRange(query: URLSearchParams): { start: string | null; end: string | null } {
  return { start: keyOf(query, 'startkey'), end: keyOf(query, 'endkey') };
}

function refuse(query: URLSearchParams, names: readonly string[]): void {
  for (const name of names) if (query.has(name)) throw bad(`${name} is not supported`);
}

function refuseTrue(query: URLSearchParams, names: readonly string[]): void {
  refuse(
    query,
    names.filter((name) => query.get(name) !== 'false'),
  );
}

function limitOf(query: URLSearchParams): number {
  const limit = wholeNumber(query, 'limit') ?? DEFAULT_LIMIT;
  if (limit > PAGE_LIMIT) throw bad(`limit must not be above ${PAGE_LIMIT}`);
  return limit;
}

function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw bad(`${name} must be a whole number`);
  return Number(text);
}

/** A JSON string; `null` is the same as none. */
function keyOf(query: URLSearchParams, name: string): string | null {
  const text = query.get(name);
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw bad(`${name} is not valid JSON`);
  }
  if (value !== null && (typeof value !== 'string' || !value.isWellFormed()))
    throw bad(`${name} must be a JSON string`);
  return value;
}

/** Clients send it quoted and bare. */
function docidOf(query: URLSearchParams): string | null {
  const text = query.get('startkey_docid');
  return text?.startsWith('"') ? keyOf(query, 'startkey_docid') : text;
}

function bad(message: string): OriginError {
  return new OriginError('ERR_BAD_QUERY', message);
}
