import { ChangeLog, readCursor } from '@_all_docs/changes';
import type { PackumentForm } from '@_all_docs/packument';
import type { Env } from '../interfaces.js';
import { type FollowNotes, readNotes } from './notes.js';
import { openReplica } from './replica.js';

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
  /** Names that changed since the listing. */
  logged: number;
}

/** What is known of following, from the stored rows alone. */
export async function followStatus(env: Env, form: PackumentForm = 'full'): Promise<FollowStatus> {
  const replica = await openReplica(env, form);
  const { store: ordered, changed } = replica;
  const cursor = await readCursor({ ordered, origin: env.origin });
  const { reconciledAt, headAt, alarms } = await readNotes(replica);
  const originSeq = cursor?.originSeq;
  const status: FollowStatus = {
    cursor: cursor?.cursor,
    originSeq,
    lagChanges: cursor && originSeq !== undefined ? Math.max(0, originSeq - cursor.cursor) : undefined,
    lagSeconds: headAt === undefined ? undefined : Math.max(0, Math.round((env.clock.now() - headAt) / 1000)),
    alarm: cursor?.alarm && { kind: cursor.alarm.kind, message: cursor.alarm.message, at: cursor.alarm.at },
    alarms,
    reconciledAt,
    stale: 0,
    failing: 0,
    gone: 0,
    logged: (await new ChangeLog({ ordered, origin: env.origin }).count()).names,
  };
  for await (const [, { tries }] of changed.marks()) {
    status.stale += 1;
    if (tries > 0) status.failing += 1;
  }
  for await (const _ of changed.gone()) status.gone += 1;
  return status;
}
