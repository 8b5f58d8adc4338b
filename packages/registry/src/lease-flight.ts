import { CacheError, hex, type OrderedStore } from '@_all_docs/cache';
import type { Clock } from '@_all_docs/http';
import { FLIGHT_PREFIX } from './prefixes.js';
import { createSingleFlight, type SingleFlight } from './single-flight.js';

export interface LeaseFlightOptions {
  /** The rows that all processes share. */
  ordered: Pick<OrderedStore, 'get' | 'commit'>;
  clock: Clock;
  /** Names this process among them. */
  owner: string;
  /** How long others wait for a process that died; 10 s unless told. */
  leaseMs?: number | undefined;
  /** How often those who wait look; 25 ms unless told. */
  pollMs?: number | undefined;
}

/** What asks the origin: everything else is done again by each process, which costs less than waiting. */
const SHARED = /^(?:document|resource|tarball):/;

/**
 * A single flight that reaches over all processes on one ordered store: one of them asks the origin, the others wait for
 * its lease to end and then find what it stored. Each runs its own work in turn, so that work has to look first whether
 * it is done already. A store in trouble costs the sharing, not the work.
 */
export function createLeaseFlight(options: LeaseFlightOptions): SingleFlight {
  const within = createSingleFlight();
  return (key, work) => within(key, () => (SHARED.test(key) ? underLease(options, key, work) : work()));
}

async function underLease<Result>(
  { ordered, clock, owner, leaseMs = 10_000, pollMs = 25 }: LeaseFlightOptions,
  key: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const row = `${FLIGHT_PREFIX}${hex(key)}`;
  let mine: string | undefined;
  const take = async (from: string | undefined) => {
    const lease = `${clock.now() + leaseMs} ${owner}`;
    if (await ordered.commit([{ key: row, value: lease }], [{ key: row, value: from }])) mine = lease;
    return mine === lease;
  };
  const over = new AbortController();
  const keep = async () => {
    for (;;) {
      await clock.sleep(leaseMs / 3, over.signal);
      await take(mine);
    }
  };
  try {
    for (
      let held = await ordered.get(row);
      isAlive(held, clock) || !(await take(held));
      held = await ordered.get(row)
    ) {
      await clock.sleep(pollMs);
    }
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    return work();
  }
  const kept = keep().catch(() => undefined);
  try {
    return await work();
  } finally {
    over.abort();
    await kept;
    await ordered.commit([{ key: row, value: undefined }], [{ key: row, value: mine }]).catch(() => false);
  }
}

function isAlive(lease: string | undefined, clock: Pick<Clock, 'now'>): boolean {
  return lease !== undefined && Number.parseInt(lease, 10) > clock.now();
}
