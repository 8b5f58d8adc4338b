import type { PartitionLease } from '@_all_docs/checkpoint';
import type { KeyRange } from '@_all_docs/partition';
import { codeOf, messageOf } from '../errors.js';
import { type Context, isItemError, LEASE_MS } from './context.js';

const OTHERS_POLL_MS = 500;

/**
 * Lists all ranges into the cache. A range that holds more than a page is split where the page ends, and its rest is
 * recorded in the same transaction. Without ranges it goes on with those recorded. Ends when every partition is complete or
 * failed, whoever worked on it.
 */
export async function listPhase(context: Context, ranges: readonly KeyRange[] | undefined): Promise<void> {
  const { listing, meter } = context;
  if (ranges) await listing.recordPartitions(ranges);
  await listing.retryFailed();
  const { stats } = await listing.getProgress();
  meter.begin('list', context.run.before?.docCount, stats.rows);
  // Each worker follows one range to its end; more workers than the governor lets through would only wait.
  await allOrFirstError(Array.from({ length: context.concurrency }, () => worker(context)));
  meter.flush();
}

async function worker(context: Context): Promise<void> {
  const { listing, owner, env, signal } = context;
  for (;;) {
    signal.throwIfAborted();
    const lease = await listing.claim(owner.id, env.clock.now(), LEASE_MS, owner.isAlive);
    if (lease) {
      await listPartition(context, lease);
    } else if (!(await othersWork(context))) {
      return;
    }
  }
}

/** Whether somebody else still holds partitions; waits a little if so. Our own other workers end by themselves. */
async function othersWork({ listing, owner, env, signal }: Context): Promise<boolean> {
  if (!(await listing.isLeasedByOthers(owner.id, env.clock.now(), owner.isAlive))) return false;
  await env.clock.sleep(OTHERS_POLL_MS, signal);
  return true;
}

async function listPartition(context: Context, { record: first }: PartitionLease): Promise<void> {
  const { listing, partitions, meter, run, env, signal, report } = context;
  let record = first;
  try {
    const rows = await context.upstream?.adopt(partitions, record, signal);
    if (rows) {
      await listing.markComplete(record.index, { rows: rows.length });
      meter.add(rows.length);
      return;
    }
    for (;;) {
      const { startKey, endKey, table, rest, totalRows, dropped } = await partitions.list(record, signal);
      await partitions.store({ startKey, endKey }, table, totalRows);
      run.foreignRows = (run.foreignRows ?? 0) + dropped.foreign;
      const odd = dropped.outside + dropped.repeated;
      if (odd > 0) {
        report({
          type: 'error',
          code: 'ERR_BAD_PAGE',
          message: `the origin sent ${odd} rows that are repeated or outside [${startKey}-${endKey}); they were dropped`,
        });
      }
      if (rest === undefined) {
        await listing.markComplete(record.index, { rows: table.length });
        meter.add(table.length);
        return;
      }
      // A range of many pages takes longer than a lease lasts: each page begins it anew.
      const until = env.clock.now() + LEASE_MS;
      record = await listing.split(record.index, rest, { rows: table.length, until });
      meter.add(table.length);
    }
  } catch (error) {
    // Whoever took it over goes on with it.
    if (codeOf(error) === 'ERR_LEASE_LOST') return;
    if (!isItemError(error)) throw error;
    meter.errors += 1;
    report({ type: 'error', code: codeOf(error) ?? '', message: messageOf(error) });
    await listing.markFailed(record.index, error);
  }
}

/** Like `Promise.all`, but waits for all before it rejects: nothing goes on behind the caller's back. */
async function allOrFirstError(tasks: Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(tasks);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}
