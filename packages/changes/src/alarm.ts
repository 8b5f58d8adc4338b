import type { ChangesPage } from './changes-page.js';

/**
 * - `epoch`: the origin's sequences began anew, or went back
 * - `echo`: the origin has more, yet answers our own sequence and nothing else
 * - `gap`: rows may have been left out
 * - `standstill`: the feed does not move
 */
export type AlarmKind = 'epoch' | 'echo' | 'gap' | 'standstill';

/** What cannot be mended by reading on: only by listing the names and revisions again. */
export interface Alarm {
  kind: AlarmKind;
  /** When it was raised, in ms. */
  at: number;
  /** Where the follower was. */
  cursor: number;
  /** The origin's `update_seq`, and the highest sequence seen before. */
  originSeq: number | undefined;
  highest: number;
  message: string;
  /** When it was mended, and the sequence from which the follower went on. */
  mendedAt?: number;
  mendedTo?: number;
}

/** One page, and what is known beside it. */
export interface Sight {
  since: number;
  page: ChangesPage;
  /** `update_seq` before and after the page; `undefined` where it is not known, `after` where it was not asked. */
  before: number | undefined;
  after: number | undefined;
  highest: number;
  /** For how long nothing has moved, and how long that may be. */
  quietFor: number;
  quietMs: number;
}

/** What one page alone does not tell: remembered from page to page. */
export interface Watch {
  /** The last `update_seq` was below the highest sequence seen. */
  low: boolean;
  /** Pages in a row that brought nothing though the origin has more. */
  stuck: number;
  /** The last page was empty, yet its `last_seq` went on. */
  jumped: boolean;
}

export const UNSUSPICIOUS: Watch = { low: false, stuck: 0, jumped: false };

export interface Judgement {
  /** The sequence up to which nothing was left out, as far as can be known. */
  next: number;
  watch: Watch;
  trouble: { kind: AlarmKind; message: string } | undefined;
}

/**
 * What a page says of the feed's health. Doubts that a lagging root document or a race could raise must hold for two
 * pages in a row; what the page itself contradicts is told at once.
 */
export function judge(sight: Sight, watch: Watch): Judgement {
  const { since, page, before, after } = sight;
  const jumps = page.lastSeq > (page.lastRow ?? since);
  // Rows are believed, a `last_seq` beyond them is not: asking again from the last row costs nothing and skips nothing.
  // With no rows there is no other way on, once it is said twice.
  const next = page.lastRow ?? (jumps && watch.jumped ? page.lastSeq : since);
  const low = isLow(sight, next);
  const stuck = next === since && !low && after !== undefined && after > since ? watch.stuck + 1 : 0;
  const seen: Watch = {
    low: after === undefined ? watch.low : low,
    stuck: after === undefined && next === since ? watch.stuck : stuck,
    jumped: jumps && page.lastRow === undefined,
  };
  const tell = (kind: AlarmKind, message: string): Judgement => ({ next, watch: seen, trouble: { kind, message } });

  if (page.lastSeq < since) return tell('epoch', `last_seq ${page.lastSeq} is below ${since}, which was asked for`);
  if (page.dropped.notAbove > 0) {
    return tell('epoch', `${page.dropped.notAbove} rows at or below ${since}, above which was asked for`);
  }
  if (low && watch.low)
    return tell('epoch', `update_seq ${after} is below ${Math.max(since, sight.highest)}, seen before`);
  if (jumps && before !== undefined && page.lastSeq < before) {
    return tell('gap', `last_seq ${page.lastSeq} is past the last row (${page.lastRow ?? 'none'}), far from ${before}`);
  }
  if (page.dropped.badSeq > 0) return tell('gap', `${page.dropped.badSeq} rows without a sequence`);
  if (stuck >= 2) {
    return page.rows === 0 && !jumps
      ? tell('echo', `nothing but ${since} sent back, though update_seq is ${after}`)
      : tell('standstill', `no row above ${since}, though update_seq is ${after}`);
  }
  if (next === since && sight.quietFor >= sight.quietMs) {
    return tell('standstill', `nothing new for ${Math.round(sight.quietFor / 1000)} s`);
  }
  return { next, watch: seen, trouble: undefined };
}

/** A root that lags behind the rows that just came is no news; one that went back is. */
function isLow({ since, after, highest }: Sight, next: number): boolean {
  if (after === undefined || after >= highest) return false;
  return !(after < next && next > since);
}
