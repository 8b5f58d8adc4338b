import { ChangesError } from './errors.js';
import { toSequence } from './sequence.js';

/** The latest change of one name, as the feed says it. */
export interface Change {
  seq: number;
  name: string;
  /** The revision that the document has since; `undefined` where the row names none. */
  rev: string | undefined;
  deleted: boolean;
}

const DROP_KINDS = [
  'noId',
  'design',
  'nullRev',
  'badSeq',
  'duplicate',
  'unordered',
  'notAbove',
  'unknownShape',
  'lowLastSeq',
] as const;

/**
 * What was wrong with a page:
 * - `noId`: a row whose id is no name: null, empty, or text that UTF-8 cannot carry; left out
 * - `design`: a `_design/` document; left out
 * - `nullRev`: no revision; kept, `rev` is undefined
 * - `badSeq`: a row with a name but without a sequence; left out
 * - `duplicate`: a name that comes again; its latest row is kept
 * - `unordered`: a row below the one before it; sorted
 * - `notAbove`: a row at or below `since`; left out
 * - `unknownShape`: no row at all; left out
 * - `lowLastSeq`: `last_seq` below `since` or below a row
 */
export type DropKind = (typeof DROP_KINDS)[number];

export type Dropped = Record<DropKind, number>;

export function noneDropped(): Dropped {
  return Object.fromEntries(DROP_KINDS.map((kind) => [kind, 0])) as Dropped;
}

export interface ChangesPage {
  /** Each name once, in the order of `seq`, all above `since`. */
  changes: Change[];
  /** `last_seq` as the origin said it. */
  lastSeq: number;
  /** The highest sequence of any row, left out or not; `undefined` when there is none above `since`. */
  lastRow: number | undefined;
  /** How many rows the origin sent. */
  rows: number;
  /** What was left out or put right, counted by kind. */
  dropped: Dropped;
}

const DESIGN = '_design/';

/** Reads a body of `_changes`. `ERR_BAD_PAGE` for a body that is cut, damaged, or no page; never a part of one. */
export function readPage(body: Uint8Array, since: number): ChangesPage {
  const { results, last_seq } = (parse(body) ?? {}) as { results?: unknown; last_seq?: unknown };
  const lastSeq = toSequence(last_seq);
  if (!Array.isArray(results) || lastSeq === undefined) {
    throw badPage('JSON without results and a numeric last_seq; is it a registry?');
  }
  const dropped = noneDropped();
  const taken: Change[] = [];
  let before = since;
  let lastRow: number | undefined;
  for (const row of results as unknown[]) {
    if (typeof row !== 'object' || row === null || Array.isArray(row)) {
      dropped.unknownShape += 1;
      continue;
    }
    const seq = toSequence((row as { seq?: unknown }).seq);
    if (seq !== undefined) {
      if (seq < before) dropped.unordered += 1;
      if (seq > (lastRow ?? since)) lastRow = seq;
      before = seq;
    }
    const change = toChange(row, seq, since, dropped);
    if (change) taken.push(change);
  }
  if (lastSeq < (lastRow ?? since)) dropped.lowLastSeq += 1;
  return { changes: latestOfEach(taken, dropped), lastSeq, lastRow, rows: results.length, dropped };
}

function toChange(row: object, seq: number | undefined, since: number, dropped: Dropped): Change | undefined {
  const { id, changes, deleted } = row as { id?: unknown; changes?: unknown; deleted?: unknown };
  const drop = (kind: DropKind): undefined => {
    dropped[kind] += 1;
  };
  if (typeof id !== 'string' || id === '' || !id.isWellFormed()) return drop('noId');
  if (id.startsWith(DESIGN)) return drop('design');
  if (seq === undefined) return drop('badSeq');
  if (seq <= since) return drop('notAbove');
  const said: unknown = Array.isArray(changes) ? (changes[0] as { rev?: unknown } | null | undefined)?.rev : undefined;
  const rev = typeof said === 'string' && said !== '' ? said : undefined;
  if (rev === undefined) dropped.nullRev += 1;
  return { seq, name: id, rev, deleted: deleted === true };
}

/** In the order of `seq`; of several rows of one name the latest. */
function latestOfEach(changes: Change[], dropped: Dropped): Change[] {
  if (dropped.unordered > 0) changes.sort((a, b) => a.seq - b.seq);
  const last = new Map<string, Change>();
  for (const change of changes) last.set(change.name, change);
  dropped.duplicate += changes.length - last.size;
  return last.size === changes.length ? changes : changes.filter((change) => last.get(change.name) === change);
}

function parse(body: Uint8Array): unknown {
  try {
    // A damaged name must not pass for another one: text that is no UTF-8 is a damaged body.
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    throw badPage('something that is not whole JSON', cause);
  }
}

function badPage(what: string, cause?: unknown): ChangesError {
  return new ChangesError('ERR_BAD_PAGE', `the origin answered _changes with ${what}`, { cause });
}
