import { concat } from '@_all_docs/http';
import type { AllDocsRow } from './page.js';

/** Numbers kept of each row: where it begins and ends in the rows' bytes, then where its id does in the ids' bytes. */
export const SPAN = 4;
const COMMA = 0x2c;
const SPACE = 0x20;
const fresh = (size: number) => new Uint8Array(size);
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Rows of `_all_docs` as the bytes they came in: a row costs sixteen bytes and no object. Ids compare by their UTF-8
 * bytes, the order of `_all_docs`. A row without a usable id (null, text that UTF-8 cannot carry) has an empty one. Immutable.
 */
export class RowTable implements Iterable<AllDocsRow> {
  readonly length: number;
  readonly #bytes: Uint8Array;
  readonly #ids: Uint8Array;
  readonly #spans: Uint32Array;

  /**
   * `bytes` holds the JSON of the rows, commas and white space between them, or the JSON of rows that are not in the
   * table; `ids` the UTF-8 of their ids, which are in `bytes` already where no id needs an escape. `spans` has
   * {@link SPAN} places for each row: begin and end in `bytes`, begin and end of the id in `ids`.
   */
  constructor(bytes: Uint8Array, spans: Uint32Array, ids: Uint8Array = bytes) {
    this.length = spans.length / SPAN;
    this.#bytes = bytes;
    this.#ids = ids;
    this.#spans = spans;
  }

  /** A table of these rows; the same one when it is a table already. */
  static of(rows: RowTable | readonly AllDocsRow[]): RowTable {
    return rows instanceof RowTable ? rows : pack(rows);
  }

  /** One table of the rows of all, in that order. It keeps alive at most twice the bytes of its rows. */
  static concat(tables: readonly RowTable[]): RowTable {
    const [first, ...others] = tables.filter(({ length }) => length > 0);
    if (!first) return new RowTable(new Uint8Array(), new Uint32Array());
    const filled = [first, ...others];
    if (others.length === 0 && 2 * first.#size() >= first.#bytes.length) return first;
    if (filled.some((table) => table.#ids !== table.#bytes)) return pack(filled.flatMap((table) => table.toArray()));
    const spans = new Uint32Array(SPAN * filled.reduce((sum, { length }) => sum + length, 0));
    return new RowTable(RowTable.#assemble(filled, ['', ''], fresh, spans), spans);
  }

  /** The id of a row; `''` for one without a usable id. */
  id(row: number): string {
    return decoder.decode(this.#ids.subarray(this.#at(row, 2), this.#at(row, 3)));
  }

  /** A row as an object, counted from the end where negative; `undefined` past the ends. */
  at(place: number): AllDocsRow | undefined {
    const row = place < 0 ? this.length + place : place;
    if (row < 0 || row >= this.length) return undefined;
    return JSON.parse(decoder.decode(this.#bytes.subarray(this.#at(row, 0), this.#at(row, 1))));
  }

  /** One row object at a time, made when it is asked for. */
  *[Symbol.iterator](): Iterator<AllDocsRow> {
    for (let row = 0; row < this.length; row++) yield this.at(row) as AllDocsRow;
  }

  /** All rows as objects. */
  toArray(): AllDocsRow[] {
    return JSON.parse(decoder.decode(this.toJson('[', ']')));
  }

  /**
   * UTF-8 of the rows as JSON between `head` and `tail`: what lay side by side is copied as it came, to the beginning of
   * what `allocate` gives for so many bytes.
   */
  toJson(head: string, tail: string, allocate: (size: number) => Uint8Array = fresh): Uint8Array {
    return RowTable.#assemble([this], [head, tail], allocate);
  }

  /** Rows `[from, to)`. */
  slice(from: number, to: number): RowTable {
    return new RowTable(this.#bytes, this.#spans.subarray(from * SPAN, to * SPAN), this.#ids);
  }

  /** The rows at these places, which increase. */
  pick(places: Uint32Array): RowTable {
    const first = places[0] ?? 0;
    const count = places.length;
    if (count === 0 || places[count - 1] === first + count - 1) return this.slice(first, first + count);
    const spans = new Uint32Array(count * SPAN);
    places.forEach((row, i) => {
      spans.set(this.#spans.subarray(row * SPAN, (row + 1) * SPAN), i * SPAN);
    });
    return new RowTable(this.#bytes, spans, this.#ids);
  }

  hasId(row: number): boolean {
    return this.#at(row, 2) < this.#at(row, 3);
  }

  idStartsWith(row: number, prefix: Uint8Array): boolean {
    const begin = this.#at(row, 2);
    const end = Math.min(begin + prefix.length, this.#at(row, 3));
    return compareSpans(this.#ids, begin, end, prefix, 0, prefix.length) === 0;
  }

  /** Order of a row's id and `key` (UTF-8): negative when the id comes first, 0 when they are the same. */
  compareId(row: number, key: Uint8Array): number {
    return compareSpans(this.#ids, this.#at(row, 2), this.#at(row, 3), key, 0, key.length);
  }

  /** Order of the ids of two rows. */
  compareIds(a: number, b: number): number {
    return compareSpans(this.#ids, this.#at(a, 2), this.#at(a, 3), this.#ids, this.#at(b, 2), this.#at(b, 3));
  }

  #at(row: number, field: 0 | 1 | 2 | 3): number {
    return this.#spans[row * SPAN + field] as number;
  }

  /** Bytes of the rows. */
  #size(): number {
    let size = 0;
    for (let row = 0; row < this.length; row++) size += this.#at(row, 1) - this.#at(row, 0);
    return size;
  }

  /** Rows that lie side by side: `[from, to)` of each such run. */
  #runs(): { from: number; to: number }[] {
    const runs: { from: number; to: number }[] = [];
    let from = 0;
    for (let row = 1; row <= this.length; row++) {
      if (row < this.length && this.#isBesideLast(row)) continue;
      runs.push({ from, to: row });
      from = row;
    }
    return runs;
  }

  #isBesideLast(row: number): boolean {
    const begin = this.#at(row, 0);
    for (let at = this.#at(row - 1, 1); at < begin; at++) {
      const byte = this.#bytes[at] as number;
      if (byte !== COMMA && byte > SPACE) return false;
    }
    return true;
  }

  /** The rows of all tables as JSON between two texts; `spans` gets where they and their ids come to lie. */
  static #assemble(
    tables: readonly RowTable[],
    [head, tail]: [string, string],
    allocate: (size: number) => Uint8Array,
    spans?: Uint32Array,
  ): Uint8Array {
    const [before, after] = [encoder.encode(head), encoder.encode(tail)];
    const pieces: Uint8Array[] = [before];
    let size = before.length;
    let place = 0;
    for (const table of tables) {
      for (const { from, to } of table.#runs()) {
        if (pieces.length > 1) {
          pieces.push(Uint8Array.of(COMMA));
          size += 1;
        }
        const run = table.#bytes.subarray(table.#at(from, 0), table.#at(to - 1, 1));
        const shift = size - table.#at(from, 0);
        if (spans) for (const span of table.#spans.subarray(from * SPAN, to * SPAN)) spans[place++] = span + shift;
        pieces.push(run);
        size += run.length;
      }
    }
    pieces.push(after);
    size += after.length;
    const json = allocate(size).subarray(0, size);
    let at = 0;
    for (const piece of pieces) {
      json.set(piece, at);
      at += piece.length;
    }
    return json;
  }
}

/** Rows that are objects, as bytes; their ids go beside them, since JSON may spell them otherwise. */
function pack(rows: readonly AllDocsRow[]): RowTable {
  const bytes = new Appender();
  const ids = new Appender();
  const spans = new Uint32Array(SPAN * rows.length);
  for (const [i, row] of rows.entries()) {
    if (i > 0) bytes.append(',');
    const id: unknown = row?.id;
    const usable = typeof id === 'string' && id.isWellFormed();
    spans.set([...bytes.append(JSON.stringify(row)), ...ids.append(usable ? id : '')], i * SPAN);
  }
  return new RowTable(bytes.end(), spans, ids.end());
}

/** UTF-8 of texts, one after another. */
class Appender {
  readonly #pieces: Uint8Array[] = [];
  #size = 0;

  /** Gives where the text begins and ends. */
  append(text: string): [begin: number, end: number] {
    const piece = encoder.encode(text);
    const begin = this.#size;
    this.#pieces.push(piece);
    this.#size += piece.length;
    return [begin, this.#size];
  }

  end(): Uint8Array {
    return concat(this.#pieces, this.#size);
  }
}

/** Order of `a[aBegin, aEnd)` and `b[bBegin, bEnd)` by their bytes. */
function compareSpans(
  a: Uint8Array,
  aBegin: number,
  aEnd: number,
  b: Uint8Array,
  bBegin: number,
  bEnd: number,
): number {
  const shorter = Math.min(aEnd - aBegin, bEnd - bBegin);
  for (let i = 0; i < shorter; i++) {
    const difference = (a[aBegin + i] as number) - (b[bBegin + i] as number);
    if (difference !== 0) return difference;
  }
  return aEnd - aBegin - (bEnd - bBegin);
}
