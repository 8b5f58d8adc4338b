/**
 * The sequences that a replica gives out. A listing says nothing of when its names changed last, so each name stands at
 * a sequence of its place: `4 (place + 1) + generation`, places counted in the order of names, all below the sequence
 * that was read before the listing. Changes followed since then stand at the origin's own sequences, moved up by `shift`
 * where an origin with few changes leaves no room for that many places.
 *
 * The generation, counted modulo 4 with each listing that differs, tells a cursor that this listing gave out from one of
 * the three listings before, whose places meant other names. Such a cursor is taken for 0: whoever holds it begins again.
 */
export interface Sequences {
  /** Rows of the listing. */
  rows: number;
  /** Read from the origin before the listing. */
  updateSeq: number;
  shift: number;
  generation: number;
}

/** Few, since npm has some thirty sequences for each name and smaller registries have less: sequences are moved up seldom. */
const GENERATIONS = 4;

/** The sequence of a place in the listing, counted from 0. */
export function seqOf(place: number, generation: number): number {
  return GENERATIONS * (place + 1) + (generation % GENERATIONS);
}

/** How far sequences must be moved up for so many places; never less than before, or cursors given out would lie ahead. */
export function shiftFor(rows: number, updateSeq: number, before = 0): number {
  return Math.max(before, seqOf(rows, 0) - updateSeq);
}

/**
 * The first place of the listing that somebody at `since` has not seen; `undefined` when the whole listing lies behind.
 */
export function placeAfter(since: number, { rows, updateSeq, shift, generation }: Sequences): number | undefined {
  if (since >= updateSeq + shift) return undefined;
  const isOurs = since % GENERATIONS === generation % GENERATIONS && since <= seqOf(rows - 1, generation);
  return isOurs ? Math.floor(since / GENERATIONS) : 0;
}
