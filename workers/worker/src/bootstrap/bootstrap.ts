import { Cache, createStorageDriver } from '@_all_docs/cache';
import type { PartitionRecord } from '@_all_docs/checkpoint';
import { aborted } from '@_all_docs/http';
import { publishListing } from '@_all_docs/origin';
import { type Check, PackumentClient, type PackumentForm } from '@_all_docs/packument';
import { type CoverageReport, type KeyRange, PartitionClient, proveCoverage } from '@_all_docs/partition';
import { codeOf, messageOf, WorkerError } from '../errors.js';
import type { Env } from '../interfaces.js';
import type { Context } from './context.js';
import type { BootstrapEvent, BootstrapResult } from './events.js';
import { fetchPhase, namesIn } from './fetch-phase.js';
import { learnPivots, pivotsFor } from './learned-pivots.js';
import { listPhase } from './list-phase.js';
import { listedNames } from './listed-names.js';
import { Meter } from './meter.js';
import { readOriginInfo } from './origin-info.js';
import { Outcomes } from './outcomes.js';
import { Owner } from './owner.js';
import {
  type Depth,
  fetchCheckpoint,
  keepCheckpoint,
  listCheckpoint,
  type Run,
  readRun,
  runId,
  writeRun,
} from './run.js';
import { chunkPartitions, type RangeSelection, rangePartitions, type Selection } from './selection.js';
import { dropStalePartitions } from './stale-partitions.js';
import type { TarballKeeper } from './tarball-keeper.js';
import { UpstreamReplica } from './upstream-replica.js';

export interface BootstrapOptions {
  selection: Selection;
  depth?: Depth;
  form?: PackumentForm;
  check?: Check;
  /** Tasks under way at once; the governor below keeps the pace. */
  concurrency?: number | undefined;
  /** Begins anew even where a run was interrupted: what it had listed is no good any more. */
  anew?: boolean | undefined;
  /** The sequence at which the listing is shown to others, where they have seen an earlier one than the origin's: that of our own cursor. */
  shownSeq?: number | undefined;
  signal?: AbortSignal | undefined;
}

const THROTTLED = new Set(['ERR_RATE_LIMITED', 'ERR_BUDGET_EXHAUSTED']);

/**
 * Brings a selection of packages into the cache: lists (ranges only), fetches, proves. Interrupted at any point, the same
 * call goes on where it was; called again after its end, it revalidates. Resolves with how it ended, also when a rate
 * limit, a budget or the caller's signal ended it; rejects when it could not do its work (storage, a dead or foreign origin).
 */
export async function bootstrap(
  options: BootstrapOptions,
  env: Env,
  report: (event: BootstrapEvent) => void = () => {},
): Promise<BootstrapResult> {
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const { context, resumed } = await prepare(options, env, report, signal);
  const started = env.clock.now();
  const result: BootstrapResult = {
    status: 'done',
    run: context.run.id,
    resumed,
    names: undefined,
    partitions: 0,
    ...context.tally,
    bytes: 0,
    requests: 0,
    throttled: 0,
    seconds: 0,
    coverage: undefined,
  };
  await context.owner.register(started);
  try {
    await work(options, context, result);
    const { failed, tarballs } = context.tally;
    if (failed > 0 || (tarballs?.failed ?? 0) > 0 || result.coverage?.holds === false) result.status = 'incomplete';
    context.run.finishedAt = env.clock.now();
    await writeRun(context.store, context.run);
  } catch (error) {
    stop.abort();
    const code = codeOf(error) ?? '';
    if (options.signal?.aborted) result.status = 'interrupted';
    else if (THROTTLED.has(code)) result.status = 'throttled';
    else throw error;
    result.reason = { code: code || 'ERR_ABORTED', message: messageOf(error) };
  } finally {
    await context.owner.leave();
  }
  return { ...result, ...context.tally, ...context.meter.traffic, seconds: (env.clock.now() - started) / 1000 };
}

async function work(
  { selection, shownSeq }: BootstrapOptions,
  context: Context,
  result: BootstrapResult,
): Promise<void> {
  if (selection.kind === 'names') {
    const { names } = selection;
    result.names = names.length;
    const ranges = chunkPartitions(names);
    result.partitions = ranges.length;
    const namesOf = async (range: KeyRange) => namesIn(names, range);
    await fetchPhase(context, ranges, namesOf, names.length);
    if (context.keeper) await keepTarballs(context, ranges, namesOf, names.length);
    return;
  }
  await list(selection, context);
  const records = await context.listing.inOrder();
  result.partitions = records.length;
  result.coverage = await prove(context, selection);
  result.names = result.coverage.rows;
  await learnPivots(context.store, context.run, selection, records);
  if (result.coverage.holds) await publish(context, records, shownSeq);
  if (result.coverage.holds) await dropStalePartitions(context, selection, records);
  if (context.run.depth === 'names') return;
  context.upstream ??= await UpstreamReplica.of(context);
  const listed = records.filter(({ state }) => state === 'complete');
  const total = listed.reduce((sum, { rows }) => sum + rows, 0);
  const namesOf = (range: KeyRange) => listedNames(context, range);
  await fetchPhase(context, listed, namesOf, total);
  if (context.keeper) await keepTarballs(context, listed, namesOf, total);
}

/** Makes a listing of everything the one that this replica shows to others, before anything of the one before goes. */
async function publish(
  { cache, store, run, env }: Context,
  partitions: readonly PartitionRecord[],
  shownSeq = Number.POSITIVE_INFINITY,
): Promise<void> {
  const { origin, before } = run;
  const updateSeq = before?.updateSeq === undefined ? undefined : Math.min(before.updateSeq, shownSeq);
  const listing = { origin, updateSeq, partitions, at: env.clock.now() };
  await publishListing({ storage: cache.driver, ordered: store }, listing);
}

const keepTarballs: typeof fetchPhase = async (...args) => {
  const { tarballPhase } = await import('./tarball-phase.js');
  await tarballPhase(...args);
};

/** Nothing is listed twice in one run: a finished pass is taken as it is. */
async function list(selection: RangeSelection, context: Context): Promise<void> {
  const { run, store, env, listing, signal } = context;
  if (run.after) return;
  if (!run.before) {
    // Before the first page: whatever changes from here on is in the feed past this sequence.
    run.before = await readOriginInfo(env, signal);
    await writeRun(store, run);
  }
  context.upstream = await UpstreamReplica.of(context);
  // A pass that was begun goes on as it was cut, whatever was learned meanwhile: its marks belong to that cut.
  const begun = selection.pivots === undefined && (await listing.getProgress()).stats.total > 0;
  const pivots = selection.pivots ?? context.upstream?.pivots ?? (await pivotsFor(store, run.origin, selection));
  const ranges = begun ? undefined : rangePartitions(selection, pivots, run.origin);
  await listPhase(context, ranges);
  run.after = await readOriginInfo(env, signal);
  await writeRun(store, run);
}

async function prove(context: Context, selection: KeyRange): Promise<CoverageReport> {
  const { run, report } = context;
  context.meter.begin('prove', undefined);
  const coverage = await proveRun(context.cache, context.partitions, run, selection);
  report({ type: 'coverage', report: coverage });
  return coverage;
}

/** The coverage proof of a run's listing, from what is stored alone. */
export async function proveRun(
  cache: Cache,
  client: PartitionClient,
  run: Run,
  whole: KeyRange,
): Promise<CoverageReport> {
  const records = await listCheckpoint(cache, run.id).inOrder();
  const covered = records.map(({ startKey, endKey, state, rows }) => ({
    startKey,
    endKey,
    rows: state === 'complete' ? rows : undefined,
  }));
  const counted = whole.startKey === null && whole.endKey === null && run.before && run.after;
  const total = counted
    ? { before: run.before?.docCount ?? 0, after: run.after?.docCount ?? 0, moved: movement(run) }
    : undefined;
  const failed = records.filter(({ state }) => state !== 'complete');
  const coverage = await proveCoverage(covered, (range) => client.heldTable(range), whole, total);
  for (const { startKey, endKey, error } of failed) {
    coverage.problems.push({
      kind: 'missing',
      message: `[${startKey}-${endKey}) was not listed: ${error ?? 'not reached'}`,
    });
  }
  return { ...coverage, holds: coverage.problems.length === 0 };
}

/** How far the count may be off honestly: the changes that the feed counted meanwhile, and rows that are no packages. */
function movement({ before, after, foreignRows = 0 }: Run): number {
  const changes =
    before?.updateSeq !== undefined && after?.updateSeq !== undefined ? after.updateSeq - before.updateSeq : 0;
  return Math.max(0, changes) + foreignRows;
}

async function prepare(
  { selection, depth = 'packuments', form = 'full', check = 'crc', concurrency = 10, anew = false }: BootstrapOptions,
  env: Env,
  report: (event: BootstrapEvent) => void,
  signal: AbortSignal,
): Promise<{ context: Context; resumed: boolean }> {
  if (signal.aborted) throw aborted(signal);
  const driver = await createStorageDriver(env);
  const cache = new Cache({ driver });
  const store = env.ordered ?? driver.ordered;
  if (!store)
    throw new WorkerError(
      'ERR_NO_ORDERED_STORE',
      'a bootstrap needs an ordered store for its checkpoint; use a driver with an index',
    );
  const { origin, registry } = env;
  const id = runId({ origin, registry, depth, form }, selection);
  const listing = listCheckpoint(cache, id);
  const fetching = fetchCheckpoint(cache, id);
  const keeping = keepCheckpoint(cache, id);
  const known = await readRun(store, id);
  const resumed = !anew && known !== undefined && known.finishedAt === undefined;
  let run = known;
  if (!resumed || !run) {
    // Marks first: a run must never begin with those of the one before.
    await listing.clear();
    await fetching.clear();
    await keeping.clear();
    run = { id, origin, registry, depth, form, selection: selectedIn(selection), startedAt: env.clock.now() };
    await writeRun(store, run);
  }
  const outcomes = new Outcomes(store, registry);
  await outcomes.load();
  report({ type: 'start', run: id, resumed, origin, registry });
  const packuments = new PackumentClient({ env: { ...env, storage: driver }, form, check });
  const context: Context = {
    env,
    cache,
    store,
    run,
    owner: new Owner(store, env.random),
    meter: new Meter(env, report),
    outcomes,
    partitions: new PartitionClient({ env: { ...env, storage: driver } }),
    packuments,
    listing,
    fetching,
    keeping,
    keeper: depth === 'tarballs' ? await createKeeper(selection, { env, store, packuments, signal }) : undefined,
    upstream: undefined,
    concurrency,
    signal,
    report,
    tally: {
      ...{ stored: 0, unchanged: 0, held: 0, absent: 0, failed: 0 },
      tarballs:
        depth === 'tarballs' ? { stored: 0, held: 0, absent: 0, failed: 0, mismatched: 0, bytes: 0 } : undefined,
    },
  };
  return { context, resumed };
}

/** Loads what tarballs need only where they are wanted. `ERR_NO_BLOB_STORE` where there is no place for them. */
async function createKeeper(
  selection: Selection,
  { env, ...parts }: Pick<Context, 'env' | 'store' | 'packuments' | 'signal'>,
): Promise<TarballKeeper> {
  const { streaming, blobs } = env;
  if (!streaming || !blobs)
    throw new WorkerError(
      'ERR_NO_BLOB_STORE',
      'a bootstrap of tarballs needs a store for blobs and a transport that streams; hand them in as blobs and streaming',
    );
  const { TarballKeeper } = await import('./tarball-keeper.js');
  const versions = selection.kind === 'names' ? selection.versions : undefined;
  return new TarballKeeper({ env: { ...env, streaming, blobs }, ...parts, versions });
}

/** What a run remembers of its selection: neither how it is cut nor thousands of names. */
function selectedIn(selection: Selection): Run['selection'] {
  if (selection.kind === 'names') return { kind: 'names', count: selection.names.length };
  return { kind: 'range', startKey: selection.startKey, endKey: selection.endKey };
}
