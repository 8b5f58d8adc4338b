import { PAGE_LIMIT } from './page.js';
import type { ParsedPage } from './parse-page.js';
import { RowTable, SPAN } from './row-table.js';

const encoder = new TextEncoder();
const strict = new TextDecoder('utf-8', { fatal: true });
const [QUOTE, BACKSLASH, SPACE, COMMA, ZERO, NINE] = [0x22, 0x5c, 0x20, 0x2c, 0x30, 0x39];
const TOTAL = encoder.encode('{"total_rows":');
const OFFSET = encoder.encode(',"offset":');
const ROWS = encoder.encode(',"rows":[');
const ID = encoder.encode('{"id":"');
const KEY = encoder.encode('","key":"');
const REV = encoder.encode('","value":{"rev":"');
const END_OF_ROW = encoder.encode('"}}');
const END = encoder.encode(']}');
const SHORTEST_ROW = ID.length + KEY.length + REV.length + END_OF_ROW.length;
/** Digits that surely are a safe integer. */
const MOST_DIGITS = 15;
const NOT_FOUND = -1;

/**
 * The page in `body`, if it is spelled as CouchDB spells it: `{"total_rows":N,"offset":N,"rows":[…]}` with rows
 * `{"id":"…","key":"…","value":{"rev":"…"}}`, key and id the same, no escapes, white space around rows only. `undefined`
 * for all else, be it JSON or not: whoever asks has to parse it. A page that this accepts says the same when parsed.
 */
export function scanPage(body: Uint8Array): ParsedPage | undefined {
  const total = scanCount(body, TOTAL, 0);
  const offset = total && scanCount(body, OFFSET, total.end);
  if (!offset || !isAt(body, offset.end, ROWS)) return undefined;
  const rows = scanRows(body, skipSpace(body, offset.end + ROWS.length));
  if (!rows || !isAt(body, rows.end, END) || skipSpace(body, rows.end + END.length) < body.length) return undefined;
  return { totalRows: total.count, rows: new RowTable(body, rows.spans) };
}

/** A whole number behind `label`, as JSON has it: no leading zeros. */
function scanCount(body: Uint8Array, label: Uint8Array, at: number): { count: number; end: number } | undefined {
  if (!isAt(body, at, label)) return undefined;
  const begin = at + label.length;
  let end = begin;
  let count = 0;
  for (let byte = body[end]; byte !== undefined && byte >= ZERO && byte <= NINE; byte = body[++end])
    count = 10 * count + byte - ZERO;
  const digits = end - begin;
  if (digits === 0 || digits > MOST_DIGITS || (digits > 1 && body[begin] === ZERO)) return undefined;
  return { count, end };
}

/** The spans of the rows from `at` on, as a {@link RowTable} has them, and what follows the last: a comma where another one should. */
function scanRows(body: Uint8Array, at: number): { spans: Uint32Array; end: number } | undefined {
  let spans = new Uint32Array(SPAN * Math.min(PAGE_LIMIT, Math.ceil(body.length / SHORTEST_ROW)));
  let place = 0;
  let begin = at;
  while (isAt(body, begin, ID)) {
    const id = begin + ID.length;
    const idEnd = endOfText(body, id);
    if (idEnd === NOT_FOUND || !isAt(body, idEnd, KEY)) return undefined;
    const key = idEnd + KEY.length;
    const keyEnd = key + idEnd - id;
    if (!isSame(body, id, idEnd, key) || !isAt(body, keyEnd, REV)) return undefined;
    const revEnd = endOfText(body, keyEnd + REV.length);
    if (revEnd === NOT_FOUND || !isAt(body, revEnd, END_OF_ROW)) return undefined;
    const end = revEnd + END_OF_ROW.length;
    if (place === spans.length) spans = twice(spans);
    spans[place++] = begin;
    spans[place++] = end;
    spans[place++] = id;
    spans[place++] = idEnd;
    at = skipSpace(body, end);
    if (body[at] !== COMMA) break;
    begin = skipSpace(body, at + 1);
  }
  return { spans: spans.subarray(0, place), end: at };
}

/** Where the closing quote of a text is; `NOT_FOUND` for one with an escape, or that is no UTF-8. */
function endOfText(body: Uint8Array, begin: number): number {
  const { length } = body;
  let seen = 0;
  for (let at = begin; at < length; at++) {
    const byte = body[at] as number;
    if (byte === QUOTE) return seen < 0x80 || isUtf8(body.subarray(begin, at)) ? at : NOT_FOUND;
    if (byte < SPACE || byte === BACKSLASH) return NOT_FOUND;
    seen |= byte;
  }
  return NOT_FOUND;
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    // Parsed as JSON it is text all the same, with replacement characters.
    return false;
  }
}

function isAt(body: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) if (body[at + i] !== text[i]) return false;
  return true;
}

function isSame(body: Uint8Array, begin: number, end: number, other: number): boolean {
  for (let i = 0; i < end - begin; i++) if (body[begin + i] !== body[other + i]) return false;
  return true;
}

/** The first place from `at` on that holds none of JSON's white space. */
function skipSpace(body: Uint8Array, at: number): number {
  for (;;) {
    const byte = body[at];
    if (byte !== 0x0a && byte !== SPACE && byte !== 0x0d && byte !== 0x09) return at;
    at += 1;
  }
}

function twice(spans: Uint32Array): Uint32Array<ArrayBuffer> {
  const wider = new Uint32Array(2 * spans.length);
  wider.set(spans);
  return wider;
}
