import { encodeOrigin } from '@_all_docs/cache';
import type { Alarm } from '@_all_docs/changes';
import type { ReplicaStores } from './replica.js';

/** What is remembered of following, for those who ask how it does. Times in epoch milliseconds. */
export interface FollowNotes {
  /** When names and revisions were compared with the list last. */
  reconciledAt?: number;
  /** When the feed was last read to its head. */
  headAt?: number;
  /** The latest alarms, oldest first. */
  alarms: { kind: Alarm['kind']; message: string; at: number }[];
}

const MOST_ALARMS = 20;
/** An idle feed is at its head every few seconds: that need not be written each time. */
const HEAD_EVERY_MS = 10_000;

type Place = Pick<ReplicaStores, 'store' | 'env'>;

export async function readNotes({ store, env }: Place): Promise<FollowNotes> {
  return parse(await store.get(keyOf(env.origin)));
}

export function noteReconciled(place: Place): Promise<void> {
  return change(place, (notes, now) => ({ ...notes, reconciledAt: now }));
}

export async function noteHead(place: Place): Promise<void> {
  const { headAt = 0 } = await readNotes(place);
  if (place.env.clock.now() - headAt >= HEAD_EVERY_MS) await change(place, (notes, now) => ({ ...notes, headAt: now }));
}

export function noteAlarm(place: Place, { kind, message, at }: Alarm): Promise<void> {
  return change(place, (notes) => ({ ...notes, alarms: [...notes.alarms, { kind, message, at }].slice(-MOST_ALARMS) }));
}

async function change(place: Place, next: (notes: FollowNotes, now: number) => FollowNotes): Promise<void> {
  const { store, env } = place;
  const key = keyOf(env.origin);
  for (;;) {
    const before = await store.get(key);
    const value = JSON.stringify(next(parse(before), env.clock.now()));
    if (await store.commit([{ key, value }], [{ key, value: before }])) return;
  }
}

function parse(text: string | undefined): FollowNotes {
  return text === undefined ? { alarms: [] } : (JSON.parse(text) as FollowNotes);
}

function keyOf(origin: string): string {
  return `v1:follow:${encodeOrigin(origin)}`;
}
