import { compareBytes, createStorageDriver, type EntryMetadata } from '@_all_docs/cache';
import { documentPrefix, type FetchResult, isOlderRevision } from '@_all_docs/packument';
import type { KeyRange } from '@_all_docs/partition';
import { codeOf, messageOf } from '../errors.js';
import { inBulk, LEAST_NAMES, type Settled } from './bulk.js';
import { type Context, isItemError } from './context.js';
import { type Wanted, type WantedNames, walk } from './walk.js';

interface Single extends Wanted {
  /** Nothing of its portion is held: it need not be looked up before it is asked for. */
  fresh: boolean;
}

/** One package, or some that came in bulk. */
type Task = Single | Settled;

/** Fetches the documents of all recorded partitions, a cursor's step ahead of the requests. */
export async function fetchPhase(
  context: Context,
  ranges: readonly KeyRange[],
  namesOf: (range: KeyRange) => Promise<WantedNames>,
  total: number,
): Promise<void> {
  const { fetching, meter } = context;
  await fetching.recordPartitions(ranges);
  await fetching.retryFailed();
  const { stats } = await fetching.getProgress();
  meter.begin('fetch', total, stats.rows);
  await walk<Task>(context, {
    marks: fetching,
    namesOf,
    async *tasksOf(wanted) {
      const fresh = !(await holdsAny(context, wanted));
      const offered = context.upstream?.hasDocuments && wanted.length >= LEAST_NAMES;
      for await (const task of offered ? inBulk(context, wanted, fresh) : wanted)
        yield 'settled' in task ? task : { ...task, fresh };
    },
    work: async (task) => 'settled' in task || fetchOne(context, task),
    noun: 'packages',
  });
  meter.flush();
}

async function fetchOne(context: Context, { name, rev, fresh }: Single): Promise<boolean> {
  const { packuments, run, meter, tally, outcomes, keeper, env } = context;
  const known = fresh ? undefined : await packuments.heldMetadata(name);
  const isHeld =
    known &&
    (known.storedAt >= run.startedAt || (rev !== undefined && known.rev === rev) || (await keeper?.isEnough(name)));
  if (isHeld) {
    tally.held += 1;
    meter.add(1);
    return true;
  }
  let whole = true;
  try {
    const result = await fetchListed(context, { name, rev }, known);
    tally[result.outcome] += 1;
    if (result.outcome === 'absent') await outcomes.absent(name, result.status, env.clock.now());
    else await outcomes.fetched(name);
  } catch (error) {
    if (!isItemError(error)) throw error;
    await fail(context, name, error);
    whole = false;
  }
  meter.add(1);
  return whole;
}

/** The document, asked for once more past caches on the way that still have the one from before the listed revision. */
async function fetchListed(
  { packuments, signal }: Context,
  { name, rev }: Wanted,
  known: EntryMetadata | undefined,
): Promise<FetchResult> {
  const result = await packuments.fetch(name, { known, signal });
  if (result.outcome === 'absent' || !isOlderRevision(result.metadata.rev, rev)) return result;
  const { metadata } = result;
  const again = await packuments.fetchChanged(name, { announced: rev, known: metadata, fresh: true, signal });
  return again.outcome === 'lagging' ? result : again;
}

async function fail({ outcomes, meter, tally, report, env }: Context, name: string, error: unknown): Promise<void> {
  tally.failed += 1;
  meter.errors += 1;
  report({ type: 'error', code: codeOf(error) ?? '', message: messageOf(error), name });
  await outcomes.failed(name, error, env.clock.now());
}

/** Whether the store holds the document of any of these names, which are in order. Keys of one registry sort as the names do. */
async function holdsAny({ env, packuments }: Context, wanted: WantedNames): Promise<boolean> {
  const first = wanted.at(0)?.name;
  const last = wanted.at(-1)?.name;
  if (first === undefined || last === undefined) return false;
  if (await packuments.heldMetadata(first)) return true;
  const prefix = documentPrefix(packuments.form, env.registry);
  const storage = await createStorageDriver(env);
  for await (const key of storage.list(prefix, { after: packuments.keyOf(first), limit: 1 })) {
    return key <= packuments.keyOf(last);
  }
  return false;
}

/** The names of a sorted list that lie in a range, found by halving. */
export function namesIn(names: readonly string[], { startKey, endKey }: KeyRange): Wanted[] {
  const from = startKey === null ? 0 : lowerBound(names, startKey);
  const to = endKey === null ? names.length : lowerBound(names, endKey);
  return names.slice(from, to).map((name) => ({ name }));
}

function lowerBound(names: readonly string[], key: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes(names[middle] as string, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
