import { encodeOrigin, hex, type OrderedStore } from '@_all_docs/cache';
import type { Alarm } from './alarm.js';
import { ChangesError } from './errors.js';

/** Where a follower is; what it must know again after a crash. */
export interface Cursor {
  /** Everything up to this sequence has had its effects. */
  cursor: number;
  /** The highest sequence that was ever seen in this epoch, of rows and of `update_seq`. */
  highest: number;
  /** How often the origin's sequences began anew. */
  epoch: number;
  /** What the origin's root said last. */
  originSeq?: number | undefined;
  docCount?: number | undefined;
  /** When the feed was last seen to move, in ms. */
  movedAt: number;
  /** Raised, and not mended yet. */
  alarm?: Alarm | undefined;
}

/** Where the follower of an origin is, from its row alone; `undefined` where nobody has followed. `ERR_BAD_CURSOR` for a row that is none. */
export function readCursor({
  ordered,
  origin,
  name = 'follow',
}: {
  ordered: OrderedStore;
  origin: string;
  name?: string;
}): Promise<Cursor | undefined> {
  return new CursorRow(ordered, origin, name).load();
}

/** The row of a {@link Cursor}. It belongs to one follower at a time: who finds it moved by another one stops. */
export class CursorRow {
  readonly #store: OrderedStore;
  readonly #key: string;
  #text: string | undefined;
  #saved = '';

  constructor(store: OrderedStore, origin: string, name: string) {
    this.#store = store;
    this.#key = `v1:cursor:${encodeOrigin(origin)}:${hex(name)}`;
  }

  /** `undefined` where nobody has followed yet. `ERR_BAD_CURSOR` for a row that is none. */
  async load(): Promise<Cursor | undefined> {
    this.#text = await this.#store.get(this.#key);
    if (this.#text === undefined) return undefined;
    const { at: _, ...cursor } = this.#parse(this.#text);
    this.#saved = JSON.stringify(cursor);
    return cursor;
  }

  /** Writes it when it differs from what is there. `ERR_CURSOR_MOVED` when somebody else has written it meanwhile. */
  async save(cursor: Cursor, at: number): Promise<void> {
    const saved = JSON.stringify(cursor);
    if (saved === this.#saved && this.#text !== undefined) return;
    const value = JSON.stringify({ ...cursor, at });
    if (!(await this.#store.commit([{ key: this.#key, value }], [{ key: this.#key, value: this.#text }]))) {
      throw new ChangesError(
        'ERR_CURSOR_MOVED',
        `another follower moves ${this.#key}; let only one run, or name this one`,
      );
    }
    this.#text = value;
    this.#saved = saved;
  }

  #parse(text: string): Cursor & { at: number } {
    try {
      const row = JSON.parse(text) as Cursor & { at: number };
      if ([row.cursor, row.highest, row.epoch, row.movedAt].every(Number.isFinite)) return row;
    } catch {
      // Not JSON: the same as JSON of something else.
    }
    throw new ChangesError(
      'ERR_BAD_CURSOR',
      `${this.#key} is no cursor: ${text.slice(0, 80)}; remove the row to begin anew`,
    );
  }
}
