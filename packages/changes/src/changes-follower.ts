import type { OrderedStore } from '@_all_docs/cache';
import { type Clock, type Codec, HttpError, type Transport } from '@_all_docs/http';
import type { Alarm } from './alarm.js';
import { assertLimit, ChangesClient, MAX_LIMIT } from './changes-client.js';
import { type Cursor, CursorRow } from './cursor.js';
import { ChangesError } from './errors.js';
import { type FollowedPage, FollowerFigures, type FollowerState } from './follower-state.js';
import { type Polled, Poller } from './poller.js';
import { assertSequence } from './sequence.js';

export interface ChangesFollowerOptions {
  env: {
    origin: string;
    transport: Transport;
    ordered: OrderedStore;
    clock: Clock;
    /** Uniform in [0, 1). */
    random: () => number;
    codec?: Codec | undefined;
  };
  /** Of the cursor; `follow` unless told. One follower at a time may use it. */
  name?: string | undefined;
  /** Where to begin when there is no cursor: the `update_seq` that was read before a listing; 0, the whole feed, unless told. */
  from?: number | undefined;
  /** Rows of a page; 10,000 unless told. */
  limit?: number | undefined;
  /** The pause in ms after a page that was not full; 5,000 unless told. */
  intervalMs?: number | undefined;
  /** How many ms the feed may stand still before that is an alarm; an hour unless told, `Infinity` for a registry that may be quiet. */
  quietMs?: number | undefined;
  /** Ends at the head. */
  once?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /**
   * Makes up for what the feed cannot tell: lists names and revisions again, and gives the `update_seq` that it read
   * before. Called until it succeeds, for each alarm, also by the next process. After an `epoch` alarm a `ChangeLog`
   * must be cleared wholly, else up to that sequence. Without it an alarm stands in the cursor for whoever can mend it,
   * and the follower reads on as far as it can.
   */
  mend?: ((alarm: Alarm) => Promise<number>) | undefined;
  onAlarm?: ((alarm: Alarm) => void) | undefined;
  logger?: { warn?(message: string, fields?: Record<string, unknown>): void } | undefined;
}

const LONGEST_WAIT_MS = 5 * 60_000;
/** Listing again costs hundreds of requests: a feed that needs it time and again gets it more and more seldom. */
const LONGEST_MEND_WAIT_MS = 60 * 60_000;
/** After so many failures or mends in a row a run that should end does. */
const PATIENCE_OF_ONCE = 5;
/** No waiting mends these. */
const FATAL: readonly string[] = ['ERR_ABORTED', 'ERR_BAD_URL'];
/** Not the origin's trouble but our own limits: they end a run that should end. */
const LIMITS: readonly string[] = ['ERR_BUDGET_EXHAUSTED', 'ERR_RATE_LIMITED'];

/**
 * Follows `_changes` by polling, from a cursor in the ordered store.
 *
 * The cursor moves only when the loop comes back for the next page: effects first, cursor after. A loop that breaks or
 * throws leaves it, so each change comes at least once, and effects must be idempotent. Each poll gives a page, one with
 * no changes when nothing is new. Trouble of the origin is waited out, counted and shown in `state()`. The loop ends
 * when the signal fires (quietly); with errors of the store, with those of `mend` that are not the origin's, with
 * `ERR_BAD_CURSOR` and `ERR_CURSOR_MOVED`; and with `once` at the head, with `ERR_BUDGET_EXHAUSTED` and `ERR_RATE_LIMITED`,
 * with the fifth failure in a row, and with `ERR_NOT_MENDED`.
 */
export class ChangesFollower implements AsyncIterable<FollowedPage> {
  readonly #options: ChangesFollowerOptions;
  readonly #intervalMs: number;
  readonly #row: CursorRow;
  readonly #poller: Poller;
  readonly #figures = new FollowerFigures();
  #cursor: Cursor | undefined;
  #mendsInRow = 0;
  #mendedAt = Number.NEGATIVE_INFINITY;

  /** `ERR_BAD_SEQUENCE`, `ERR_BAD_LIMIT`, and the errors of `encodeOrigin`. */
  constructor(options: ChangesFollowerOptions) {
    const { env, name = 'follow', from = 0, limit = MAX_LIMIT, quietMs = 60 * 60_000, signal } = options;
    assertSequence(from);
    assertLimit(limit);
    this.#options = options;
    this.#intervalMs = options.intervalMs ?? 5_000;
    this.#row = new CursorRow(env.ordered, env.origin, name);
    const client = new ChangesClient({ env });
    this.#poller = new Poller({ client, clock: env.clock, limit, quietMs, signal, isOrigins });
  }

  /** Where it is and how it does: a copy. */
  state(): FollowerState {
    return this.#figures.state(this.#cursor, this.#poller.originSeq);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FollowedPage, void, undefined> {
    const { signal, once, mend } = this.#options;
    try {
      await this.#begin();
      while (!signal?.aborted) {
        const { alarm } = this.#held;
        if (alarm && mend) {
          await this.#attempt(() => this.#mend(alarm, mend));
          continue;
        }
        const polled = await this.#attempt(() => this.#poll());
        // An alarm that will be mended takes the place of its page: the listing says what the page does, and more.
        if (!polled || (this.#held.alarm && mend)) continue;
        const page = this.#toPage(polled);
        yield page;
        await this.#advance(page.lastSeq);
        if (once && (page.atHead || this.#held.alarm)) return;
        if (polled.rootError !== undefined) await this.#fail(polled.rootError);
        else if (!polled.more) await this.#sleep(this.#intervalMs);
      }
    } catch (error) {
      if (signal?.aborted && codeOf(error) === 'ERR_ABORTED') return;
      throw error;
    }
  }

  get #held(): Cursor {
    return this.#cursor as Cursor;
  }

  async #begin(): Promise<void> {
    const { from = 0, env } = this.#options;
    const held = await this.#row.load();
    this.#cursor = held ?? { cursor: from, highest: from, epoch: 0, movedAt: env.clock.now() };
    this.#poller.forget();
    if (held?.alarm) this.#figures.stands(held.alarm);
  }

  async #poll(): Promise<Polled> {
    const { env } = this.#options;
    const polled = await this.#poller.poll(this.#held);
    this.#figures.page(polled.page, env.clock.now());
    if (polled.rootError === undefined) this.#figures.failuresInRow = 0;
    // The highest sequence is written before any effect of it: a feed that goes back behind it is noticed after a crash too.
    if (polled.trouble) await this.#raise(polled);
    else await this.#save(polled.cursor);
    return polled;
  }

  /** Puts the alarm into the cursor, from where it goes only when it is mended; one that stands already is not raised again. */
  async #raise({ cursor, trouble }: Polled): Promise<void> {
    const { onAlarm, logger, env } = this.#options;
    const { kind, message } = trouble as NonNullable<Polled['trouble']>;
    if (cursor.alarm && (cursor.alarm.kind === kind || kind !== 'epoch')) return this.#save(cursor);
    const { cursor: at, highest, originSeq } = cursor;
    const alarm: Alarm = { kind, at: env.clock.now(), cursor: at, originSeq, highest, message };
    await this.#save({ ...cursor, alarm });
    this.#figures.alarm(alarm);
    logger?.warn?.(`the feed of ${env.origin}: ${kind}: ${message}`, { ...alarm });
    onAlarm?.({ ...alarm });
  }

  async #mend(alarm: Alarm, mend: NonNullable<ChangesFollowerOptions['mend']>): Promise<void> {
    const { env, once } = this.#options;
    if (once && this.#mendsInRow >= PATIENCE_OF_ONCE) {
      throw new ChangesError('ERR_NOT_MENDED', `listing again does not help: ${alarm.message}; try again later`);
    }
    if (env.clock.now() - this.#mendedAt > LONGEST_MEND_WAIT_MS) this.#mendsInRow = 0;
    if (this.#mendsInRow > 0)
      await this.#sleep(this.#backoff(this.#mendsInRow, this.#intervalMs, LONGEST_MEND_WAIT_MS));
    const to = assertSequence(await mend({ ...alarm }));
    const isNew = alarm.kind === 'epoch';
    const { highest, epoch, alarm: _, ...held } = this.#held;
    await this.#save({
      ...held,
      cursor: to,
      highest: isNew ? to : Math.max(highest, to),
      epoch: isNew ? epoch + 1 : epoch,
      movedAt: env.clock.now(),
    });
    this.#poller.forget();
    this.#mendsInRow += 1;
    this.#mendedAt = env.clock.now();
    this.#figures.mended(alarm, to, this.#mendedAt);
  }

  async #advance(to: number): Promise<void> {
    if (to !== this.#held.cursor) this.#figures.lastAdvanceAt = this.#options.env.clock.now();
    await this.#save({ ...this.#held, cursor: to });
  }

  async #save(cursor: Cursor): Promise<void> {
    await this.#row.save(cursor, this.#options.env.clock.now());
    this.#cursor = cursor;
  }

  #toPage({ page, next, atHead }: Polled): FollowedPage {
    const { changes, dropped } = page;
    return { changes, since: this.#held.cursor, lastSeq: next, atHead, dropped, originSeq: this.#poller.originSeq };
  }

  /** What `work` gives; `undefined` after trouble of the origin, when that was waited out. */
  async #attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      await this.#fail(error);
      return undefined;
    }
  }

  async #fail(error: unknown): Promise<void> {
    const { env, once, logger } = this.#options;
    if (!isOrigins(error)) throw error;
    const { message } = error as Error;
    const code = codeOf(error) as string;
    this.#figures.failure(code, message, env.clock.now());
    const { failuresInRow } = this.#figures;
    if (once && (LIMITS.includes(code) || failuresInRow >= PATIENCE_OF_ONCE)) throw error;
    const asked = 1000 * ((error as HttpError).retryAfter ?? 0);
    const wait = Math.max(asked, this.#backoff(failuresInRow, Math.min(1_000, this.#intervalMs), LONGEST_WAIT_MS));
    logger?.warn?.(`the feed of ${env.origin}: ${message}`, { code, failuresInRow, waitMs: Math.round(wait) });
    await this.#sleep(wait);
  }

  /** Doubled each time, shortened by up to half at random. */
  #backoff(times: number, baseMs: number, longestMs: number): number {
    const { random } = this.#options.env;
    return Math.min(longestMs, baseMs * 2 ** Math.min(times - 1, 20)) * (0.5 + random() / 2);
  }

  #sleep(ms: number): Promise<void> {
    const { env, signal } = this.#options;
    return env.clock.sleep(ms, signal);
  }
}

/** Whether waiting may help. Pages that are none have one code, whichever package read them. */
function isOrigins(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ERR_BAD_PAGE' || (error instanceof HttpError && !FATAL.includes(error.code));
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as { code?: string }).code : undefined;
}
