import { encodeOrigin } from '@_all_docs/cache';
import { type Alarm, ChangeLog, ChangesClient, ChangesFollower, readCursor } from '@_all_docs/changes';
import type { PackumentForm } from '@_all_docs/packument';
import { codeOf, messageOf, WorkerError } from '../errors.js';
import type { Env } from '../interfaces.js';
import { type Applied, applyChanges } from './apply.js';
import { noteAlarm, noteHead, noteReconciled, readNotes } from './notes.js';
import { pace } from './pace.js';
import { type Reconciled, reconcile } from './reconcile.js';
import { openReplica, type Replica } from './replica.js';
import { noneSettled, type Settled, settleMarks } from './settle.js';

export interface FollowOptions {
  form?: PackumentForm | undefined;
  /** Ends at the feed's head, when what changed has been fetched. */
  once?: boolean;
  /** Between polls of an idle feed, in milliseconds; 5 s unless told. */
  intervalMs?: number | undefined;
  /** How long fetches wait for more changes of the same package, in milliseconds; 10 minutes unless told. */
  windowMs?: number | undefined;
  /** Between reconciliations, in milliseconds; a day unless told, 0 for none. */
  reconcileMs?: number | undefined;
  /** Requests for documents at once. */
  concurrency?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** What following tells while it works. */
export type FollowEvent =
  | ({ type: 'changes'; seq: number; originSeq: number | undefined } & Applied)
  | ({ type: 'fetched' } & Settled)
  | ({ type: 'reconciled' } & Reconciled)
  | { type: 'alarm'; kind: Alarm['kind']; message: string }
  | { type: 'error'; code: string; message: string; name?: string };

export interface FollowResult extends Applied {
  status: 'done' | 'incomplete' | 'throttled' | 'interrupted';
  seq: number;
  fetched: Settled;
  alarms: number;
  reason?: { code: string; message: string } | undefined;
}

/** How often marks that are due are looked for. */
const TICK_MS = 1_000;

/**
 * Keeps a replica true: reads the feed, marks or gives up what changed at once, and fetches it again a little later,
 * merged per package and within the month's budget. Reconciles at every alarm of the feed, and once a day. Resolves how it
 * ended; rejects when it cannot do its work (storage, a dead or foreign origin).
 */
export async function follow(
  options: FollowOptions,
  env: Env,
  report: (event: FollowEvent) => void = () => {},
): Promise<FollowResult> {
  const replica = await openReplica(env, options.form ?? 'full');
  return new Following(replica, options, report).run();
}

class Following {
  readonly #replica: Replica;
  readonly #options: FollowOptions;
  readonly #report: (event: FollowEvent) => void;
  readonly #log: ChangeLog;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #result: FollowResult;
  #reconciling: Promise<unknown> | undefined;
  #noted: Promise<unknown> = Promise.resolve();

  constructor(replica: Replica, options: FollowOptions, report: (event: FollowEvent) => void) {
    const { store: ordered, env } = replica;
    this.#replica = replica;
    this.#options = options;
    this.#report = report;
    this.#log = new ChangeLog({ ordered, origin: env.origin });
    this.#signal = options.signal ? AbortSignal.any([options.signal, this.#stop.signal]) : this.#stop.signal;
    this.#result = {
      status: 'done',
      seq: 0,
      rows: 0,
      marked: 0,
      removed: 0,
      fetched: noneSettled(),
      alarms: 0,
    };
  }

  async run(): Promise<FollowResult> {
    const { once = false, signal } = this.#options;
    const settling = once ? undefined : this.#settleNowAndThen();
    try {
      await this.#follow();
      if (once) await this.#settle({ all: true });
      const { failed, lagging } = this.#result.fetched;
      if (failed + lagging > 0) this.#result.status = 'incomplete';
    } catch (error) {
      const code = codeOf(error) ?? '';
      if (signal?.aborted) this.#result.status = 'interrupted';
      else if (code === 'ERR_RATE_LIMITED' || code === 'ERR_BUDGET_EXHAUSTED') this.#result.status = 'throttled';
      else throw error;
      this.#result.reason = { code: code || 'ERR_ABORTED', message: messageOf(error) };
    } finally {
      this.#stop.abort();
      await settling;
      await this.#reconciling;
    }
    if (signal?.aborted) this.#result.status = 'interrupted';
    return this.#result;
  }

  async #follow(): Promise<void> {
    const { env, store: ordered } = this.#replica;
    const { once, intervalMs, windowMs = 600_000 } = this.#options;
    const { origin, transport, clock, random } = env;
    const follower = new ChangesFollower({
      env: { origin, transport, ordered, clock, random },
      from: await this.#startSequence(),
      once,
      intervalMs,
      // Only the public registry changes all the time; another one may rest.
      quietMs: encodeOrigin(env.registry) === 'npm' ? undefined : Number.POSITIVE_INFINITY,
      signal: this.#signal,
      onAlarm: (alarm) => {
        this.#result.alarms += 1;
        this.#report({ type: 'alarm', kind: alarm.kind, message: alarm.message });
        this.#noted = this.#noted.then(() => noteAlarm(this.#replica, alarm));
      },
      mend: (alarm) => this.#mend(alarm),
      logger: env.logger,
    });
    for await (const { changes, atHead, originSeq, lastSeq } of follower) {
      const applied = await applyChanges(changes, { replica: this.#replica, log: this.#log, windowMs });
      this.#result.seq = lastSeq;
      for (const key of ['rows', 'marked', 'removed'] as const) this.#result[key] += applied[key];
      if (changes.length > 0) this.#report({ type: 'changes', seq: lastSeq, originSeq, ...applied });
      if (atHead) await noteHead(this.#replica);
      if (atHead && !once) await this.#reconcileNowAndThen();
    }
    await this.#noted;
    this.#result.seq = follower.state().cursor ?? this.#result.seq;
  }

  /** Where to begin that was not followed yet: where the feed was before the earliest listing; where nothing was listed, its head. */
  async #startSequence(): Promise<number | undefined> {
    const { listed, env, store: ordered } = this.#replica;
    if (await readCursor({ ordered, origin: env.origin })) return undefined;
    const seqs = listed.flatMap(({ updateSeq }) => updateSeq ?? []);
    if (seqs.length > 0) return Math.min(...seqs);
    return (await new ChangesClient({ env }).info({ signal: this.#signal })).updateSeq;
  }

  /** Something is wrong with the feed: what it did not tell is found in the list of names. */
  async #mend({ kind }: Alarm): Promise<number> {
    if (kind === 'epoch') {
      // Sequences of before compare with none that come.
      await this.#log.clear({ at: this.#replica.env.clock.now() });
      await this.#replica.changed.forgetSequences();
    }
    return (await this.#reconcile({ anew: kind === 'epoch' })).seq;
  }

  async #reconcile({ anew = false } = {}): Promise<Reconciled & { status: 'done' }> {
    const result = await reconcile(this.#replica, this.#log, {
      concurrency: this.#options.concurrency,
      signal: this.#signal,
      anew,
    });
    this.#report({ type: 'reconciled', ...result });
    if (result.status !== 'done')
      throw new WorkerError(
        'ERR_NOT_RECONCILED',
        `the names could not be listed from end to end: the listing ended as ${result.status}; the same command goes on`,
      );
    await noteReconciled(this.#replica);
    return result;
  }

  async #reconcileNowAndThen(): Promise<void> {
    const { reconcileMs = 86_400_000 } = this.#options;
    const { env, listed } = this.#replica;
    if (reconcileMs === 0 || listed.length === 0 || this.#reconciling) return;
    const { reconciledAt: last } = await readNotes(this.#replica);
    if (last === undefined) {
      // The listing itself was the first one.
      await noteReconciled(this.#replica);
      return;
    }
    if (env.clock.now() - last < reconcileMs) return;
    // Behind the feed: a removal must not wait for a listing.
    this.#reconciling = this.#reconcile()
      .catch((error) => this.#onError(error))
      .finally(() => {
        this.#reconciling = undefined;
      });
  }

  async #settleNowAndThen(): Promise<void> {
    const { env } = this.#replica;
    while (!this.#signal.aborted) {
      try {
        await env.clock.sleep(TICK_MS, this.#signal);
        await this.#settle({ most: await pace(env, TICK_MS) });
      } catch (error) {
        if (!this.#signal.aborted) this.#onError(error);
      }
    }
  }

  async #settle({ all, most }: { all?: boolean; most?: number }): Promise<void> {
    const { concurrency = 10 } = this.#options;
    const settled = await settleMarks(this.#replica, {
      concurrency,
      all,
      most,
      signal: this.#signal,
      onError: (name, error) => this.#onError(error, name),
    });
    const { fetched } = this.#result;
    let sum = 0;
    for (const key of Object.keys(settled) as (keyof Settled)[]) {
      fetched[key] += settled[key];
      sum += settled[key];
    }
    if (sum > 0) this.#report({ type: 'fetched', ...settled });
  }

  #onError(error: unknown, name?: string): void {
    const told = { code: codeOf(error) ?? 'ERR_INTERNAL', message: messageOf(error) };
    this.#report({ type: 'error', ...told, ...(name === undefined ? {} : { name }) });
  }
}

export interface ReconcileRun {
  reconciled: Reconciled;
  fetched: Settled;
}

/** One comparison with the list of names, and the fetching of what differs. Rejects as {@link follow} does. */
export async function reconcileNow(
  { form = 'full', concurrency = 10, signal }: Pick<FollowOptions, 'form' | 'concurrency' | 'signal'>,
  env: Env,
): Promise<ReconcileRun> {
  const replica = await openReplica(env, form);
  const log = new ChangeLog({ ordered: replica.store, origin: env.origin });
  const reconciled = await reconcile(replica, log, { concurrency, signal });
  if (reconciled.status !== 'done') return { reconciled, fetched: noneSettled() };
  await noteReconciled(replica);
  return { reconciled, fetched: await settleMarks(replica, { concurrency, all: true, signal }) };
}
