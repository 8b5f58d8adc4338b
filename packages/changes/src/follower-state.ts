import type { Alarm } from './alarm.js';
import { type Change, type Dropped, noneDropped } from './changes-page.js';
import type { Cursor } from './cursor.js';

/** One page as it is handed over. The cursor moves to `lastSeq` when the loop comes back for the next one. */
export interface FollowedPage {
  /** Each name once, in the order of `seq`; none on a page that brought nothing. */
  changes: Change[];
  since: number;
  lastSeq: number;
  /** Whether nothing is left, as far as the origin's `update_seq` tells. */
  atHead: boolean;
  dropped: Dropped;
  /** The origin's `update_seq` as last read; `undefined` before the root document could be read. */
  originSeq: number | undefined;
}

/** Since this follower was made. */
export interface FollowerCounts {
  pages: number;
  changes: number;
  dropped: Dropped;
  /** Answers that were none, by error code. */
  failures: Record<string, number>;
  alarms: number;
  mended: number;
}

/** Plain data for status and metrics. Times are in ms of the clock that was given. */
export interface FollowerState {
  cursor: number | undefined;
  epoch: number;
  highest: number | undefined;
  originSeq: number | undefined;
  docCount: number | undefined;
  /** How far the cursor is behind `originSeq`, in sequence numbers: on npm about four times the changes that are due. */
  lagChanges: number | undefined;
  lastPageAt: number | undefined;
  /** When the cursor last moved. */
  lastAdvanceAt: number | undefined;
  /** Pages in a row that brought nothing. */
  idlePolls: number;
  /** Answers in a row that were none, and the latest of these. */
  failuresInRow: number;
  lastFailure: { at: number; code: string; message: string } | undefined;
  /** The latest, oldest first; those without `mendedAt` stand. */
  alarms: Alarm[];
  counts: FollowerCounts;
}

const KEPT_ALARMS = 20;

/** The figures behind {@link FollowerState} that are no part of the cursor. */
export class FollowerFigures {
  failuresInRow = 0;
  lastAdvanceAt: number | undefined;
  #lastPageAt: number | undefined;
  #idlePolls = 0;
  #lastFailure: FollowerState['lastFailure'];
  #alarms: Alarm[] = [];
  readonly #counts: FollowerCounts = {
    pages: 0,
    changes: 0,
    dropped: noneDropped(),
    failures: {},
    alarms: 0,
    mended: 0,
  };

  page({ changes, dropped }: { changes: readonly Change[]; dropped: Dropped }, at: number): void {
    const counts = this.#counts;
    this.#lastPageAt = at;
    this.#idlePolls = changes.length === 0 ? this.#idlePolls + 1 : 0;
    counts.pages += 1;
    counts.changes += changes.length;
    for (const [kind, count] of Object.entries(dropped)) counts.dropped[kind as keyof Dropped] += count;
  }

  failure(code: string, message: string, at: number): void {
    this.failuresInRow += 1;
    this.#lastFailure = { at, code, message };
    this.#counts.failures[code] = (this.#counts.failures[code] ?? 0) + 1;
  }

  alarm(alarm: Alarm): void {
    this.#counts.alarms += 1;
    this.stands(alarm);
  }

  /** An alarm that was raised before, perhaps by another process. */
  stands(alarm: Alarm): void {
    if (this.#alarms.some((other) => isSame(other, alarm))) return;
    this.#alarms = [...this.#alarms, alarm].slice(-KEPT_ALARMS);
  }

  mended(alarm: Alarm, mendedTo: number, mendedAt: number): void {
    this.failuresInRow = 0;
    this.#counts.mended += 1;
    this.#alarms = this.#alarms.map((other) => (isSame(other, alarm) ? { ...other, mendedAt, mendedTo } : other));
  }

  state(held: Cursor | undefined, originSeq: number | undefined): FollowerState {
    const { cursor, highest, epoch = 0, docCount } = held ?? {};
    return structuredClone({
      cursor,
      highest,
      epoch,
      originSeq,
      docCount,
      lagChanges: cursor === undefined || originSeq === undefined ? undefined : Math.max(0, originSeq - cursor),
      lastPageAt: this.#lastPageAt,
      lastAdvanceAt: this.lastAdvanceAt,
      idlePolls: this.#idlePolls,
      failuresInRow: this.failuresInRow,
      lastFailure: this.#lastFailure,
      alarms: this.#alarms,
      counts: this.#counts,
    });
  }
}

function isSame(a: Alarm, b: Alarm): boolean {
  return a.at === b.at && a.kind === b.kind;
}
