import type { KeyRange } from '@_all_docs/partition';
import { codeOf, messageOf } from '../errors.js';
import { type Context, isItemError } from './context.js';
import type { TarballTally } from './events.js';
import { pathOf, type TarballKeeper, type WantedTarball } from './tarball-keeper.js';
import { type WantedNames, walk } from './walk.js';

/** A package whose tarballs are under way: it is settled when all of them are. */
interface Package {
  name: string;
  open: number;
}

/** One tarball, or why there is none of a version that is wanted. */
type Task = { of: Package } & ({ tarball: WantedTarball } | { trouble: unknown });

/** Keeps the tarballs of the documents in all recorded partitions: those of one document at a time wait in memory. */
export async function tarballPhase(
  context: Context,
  ranges: readonly KeyRange[],
  namesOf: (range: KeyRange) => Promise<WantedNames>,
  total: number,
): Promise<void> {
  const { keeping, keeper, meter } = context;
  if (!keeper) return;
  await keeping.recordPartitions(ranges);
  await keeping.retryFailed();
  const { stats } = await keeping.getProgress();
  meter.tarballs = 0;
  meter.begin('tarballs', total, stats.rows);
  await walk<Task>(context, {
    marks: keeping,
    namesOf,
    tasksOf: (wanted) => tasksOf(context, keeper, wanted),
    work: (task) => settle(context, keeper, task),
    noun: 'tarballs',
  });
  meter.flush();
}

async function* tasksOf({ meter }: Context, keeper: TarballKeeper, names: WantedNames): AsyncIterable<Task> {
  for (const { name } of names) {
    const of: Package = { name, open: 1 };
    try {
      for (const wanted of await keeper.wantedOf(name)) {
        of.open += 1;
        yield 'dist' in wanted ? { of, tarball: wanted } : { of, trouble: wanted };
      }
    } catch (error) {
      if (!isItemError(error)) throw error;
      of.open += 1;
      yield { of, trouble: error };
    }
    of.open -= 1;
    if (of.open === 0) meter.add(1);
  }
}

async function settle(context: Context, keeper: TarballKeeper, task: Task): Promise<boolean> {
  const { meter } = context;
  const { of } = task;
  let whole = false;
  if ('tarball' in task) whole = await keep(context, keeper, task.tarball);
  else await fail(context, of.name, task.trouble);
  meter.tarballs = (meter.tarballs ?? 0) + 1;
  of.open -= 1;
  meter.add(of.open === 0 ? 1 : 0);
  return whole;
}

async function keep(context: Context, keeper: TarballKeeper, tarball: WantedTarball): Promise<boolean> {
  const { outcomes, env } = context;
  const tally = tallyOf(context);
  const path = pathOf(tarball);
  try {
    const kept = await keeper.keep(tarball);
    if (!kept) {
      tally.absent += 1;
      await outcomes.absent(path, 404, env.clock.now());
      return true;
    }
    tally[kept.fetched ? 'stored' : 'held'] += 1;
    if (kept.fetched) tally.bytes += kept.size;
    await outcomes.fetched(path);
    return true;
  } catch (error) {
    if (!isItemError(error)) throw error;
    await fail(context, path, error);
    return false;
  }
}

async function fail(context: Context, name: string, error: unknown): Promise<void> {
  const { outcomes, meter, report, env } = context;
  const tally = tallyOf(context);
  tally.failed += 1;
  if (codeOf(error) === 'ERR_INTEGRITY') tally.mismatched += 1;
  meter.errors += 1;
  report({ type: 'error', code: codeOf(error) ?? '', message: messageOf(error), name });
  await outcomes.failed(name, error, env.clock.now());
}

function tallyOf({ tally }: Context): TarballTally {
  if (!tally.tarballs) throw new TypeError('tarballs are not counted in this bootstrap');
  return tally.tarballs;
}
