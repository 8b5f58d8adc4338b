import { ChangeLog, readCursor } from '@_all_docs/changes';
import type { Clock } from '@_all_docs/http';
import type { PackumentForm } from '@_all_docs/packument';
import type { ChangedDocuments } from '@_all_docs/registry';
import type { Env } from '../interfaces.js';
import { type FollowNotes, readNotes } from './notes.js';
import { openStores, type ReplicaStores } from './replica.js';

/** How true a replica is: as far as the feed was read, and what is still to be done. */
export interface FollowStatus {
  /** The feed's sequence up to which everything is applied; `undefined` where it was never followed. */
  cursor: number | undefined;
  /** The origin's newest sequence, as of the last look. */
  originSeq: number | undefined;
  lagChanges: number | undefined;
  /** Since the feed was last read to its head, in seconds. */
  lagSeconds: number | undefined;
  /** What the feed does that it must not, as long as it is not mended; times in epoch milliseconds. */
  alarm: FollowNotes['alarms'][number] | undefined;
  /** The latest alarms, mended ones included. */
  alarms: FollowNotes['alarms'];
  /** Epoch milliseconds of the last comparison with the list of names. */
  reconciledAt: number | undefined;
  /** Documents that changed and were not fetched again yet: they are not served. */
  stale: number;
  /** Those of them that the registry failed to give, or still showed as they were before. */
  failing: number;
  /** Packages that the registry removed. */
  gone: number;
  /** When these three were counted, in epoch milliseconds: a moment ago where somebody asks often. */
  countedAt: number;
  /** Names that changed since the listing. */
  logged: number;
}

/** What takes long to find out. */
type Counts = Pick<FollowStatus, 'stale' | 'failing' | 'gone' | 'countedAt'>;

/** Counts are kept so long at least, and for so many times as long as counting took: no scrape makes it a load. */
const KEPT_MS = 5_000;
const KEPT_TIMES = 100;
/** Rows that are counted in one go: others get their turn then. */
const BATCH = 1_000;

/** How true a replica is, for whoever asks again and again. All but the counts is read anew each time: a few rows. */
export class FollowStatusReader {
  readonly #env: Env;
  readonly #form: PackumentForm;
  #counted: { counts: Promise<Counts>; until: number } | undefined;

  constructor(env: Env, form: PackumentForm = 'full') {
    this.#env = env;
    this.#form = form;
  }

  /** What is known of following, from the stored rows alone. */
  async read(): Promise<FollowStatus> {
    const env = this.#env;
    const stores = await openStores(env, this.#form);
    const { origin } = env;
    const { store: ordered } = stores;
    const cursor = await readCursor({ ordered, origin });
    const { reconciledAt, headAt, alarms } = await readNotes(stores);
    const originSeq = cursor?.originSeq;
    return {
      cursor: cursor?.cursor,
      originSeq,
      lagChanges: cursor && originSeq !== undefined ? Math.max(0, originSeq - cursor.cursor) : undefined,
      lagSeconds: headAt === undefined ? undefined : Math.max(0, Math.round((env.clock.now() - headAt) / 1000)),
      alarm: cursor?.alarm && { kind: cursor.alarm.kind, message: cursor.alarm.message, at: cursor.alarm.at },
      alarms,
      reconciledAt,
      logged: (await new ChangeLog({ ordered, origin }).count()).names,
      ...(await this.#counts(stores)),
    };
  }

  /** One count for all who ask meanwhile; one that failed is begun again by the next. */
  #counts({ changed }: ReplicaStores): Promise<Counts> {
    const { clock } = this.#env;
    const began = clock.now();
    if (this.#counted && began < this.#counted.until) return this.#counted.counts;
    const counted = { counts: countOf(changed, clock), until: Number.POSITIVE_INFINITY };
    this.#counted = counted;
    const keep = (ms: number) => {
      counted.until = began + ms;
    };
    counted.counts.then(
      () => keep(Math.max(KEPT_MS, KEPT_TIMES * (clock.now() - began))),
      () => keep(0),
    );
    return counted.counts;
  }
}

/** {@link FollowStatusReader} for whoever asks once. */
export function followStatus(env: Env, form?: PackumentForm): Promise<FollowStatus> {
  return new FollowStatusReader(env, form).read();
}

async function countOf(changed: ChangedDocuments, clock: Clock): Promise<Counts> {
  const counts: Counts = { stale: 0, failing: 0, gone: 0, countedAt: clock.now() };
  let rows = 0;
  const turn = async () => {
    rows += 1;
    if (rows % BATCH === 0) await clock.sleep(0);
  };
  for await (const [, { tries }] of changed.marks()) {
    counts.stale += 1;
    if (tries > 0) counts.failing += 1;
    await turn();
  }
  for await (const _ of changed.gone()) {
    counts.gone += 1;
    await turn();
  }
  return counts;
}
