import { compareBytes, unhex } from '@_all_docs/cache';
import { type ChangeLog, readCursor } from '@_all_docs/changes';
import { documentPrefix } from '@_all_docs/packument';
import { heldRanges, heldRows, type KeyRange, PartitionClient } from '@_all_docs/partition';
import { type ChangedMark, isUpToDate, newMark } from '@_all_docs/registry';
import { bootstrap } from '../bootstrap/bootstrap.js';
import type { BootstrapEvent, BootstrapResult } from '../bootstrap/events.js';
import { listRuns } from '../bootstrap/run.js';
import { EVERYTHING } from '../bootstrap/selection.js';
import { WorkerError } from '../errors.js';
import { isIn, type Replica } from './replica.js';

/** What a re-listing brought to light. */
export type Reconciled = (Done | NotDone) & Found;

interface Done {
  status: 'done';
  /** The sequence to follow from: the feed's before the listing. */
  seq: number;
}

interface NotDone {
  /** `incomplete`: partitions failed, or the listing is not proved; then nothing is taken for gone. */
  status: Exclude<BootstrapResult['status'], 'done'>;
  seq: undefined;
}

interface Found {
  names: number;
  /** Documents that the listing has another revision of. */
  changed: number;
  /** Held, and no longer listed: the registry is asked for each. */
  missing: number;
  /** Listed, wanted and not held. */
  added: number;
  requests: number;
}

export interface ReconcileOptions {
  concurrency?: number | undefined;
  signal?: AbortSignal | undefined;
  report?: ((event: BootstrapEvent) => void) | undefined;
  /** The feed's sequences began anew: ours of before compare with none of them. */
  anew?: boolean | undefined;
}

/**
 * Lists names and revisions anew (about 460 requests for the public registry) and marks what differs from what is held:
 * changes that the feed did not tell, and silent removals. Fetches nothing; interrupted, the same call goes on.
 */
export async function reconcile(
  replica: Replica,
  log: ChangeLog,
  { concurrency, signal, report, anew = false }: ReconcileOptions = {},
): Promise<Reconciled> {
  const { env, store } = replica;
  const ranges = replica.listed.length > 0 ? outermost(replica.listed) : [EVERYTHING];
  const found: Found = { names: 0, changed: 0, missing: 0, added: 0, requests: 0 };
  const seqs: number[] = [];
  // Whoever follows us has seen no more than our cursor; what is past it stays in the log for him.
  const shownSeq = anew ? undefined : (await readCursor({ ordered: store, origin: env.origin }))?.cursor;
  for (const { startKey, endKey } of ranges) {
    const selection = { kind: 'range' as const, startKey, endKey };
    const listing = await bootstrap(
      { selection, depth: 'names', form: replica.packuments.form, concurrency, anew, shownSeq, signal },
      env,
      report,
    );
    found.requests += listing.requests;
    if (listing.status !== 'done') return { status: listing.status, seq: undefined, ...found };
    found.names += listing.names ?? 0;
    const run = (await listRuns(store)).find(({ id }) => id === listing.run);
    if (run?.before?.updateSeq === undefined)
      throw new WorkerError(
        'ERR_NO_SEQUENCE',
        `${env.origin} tells no update_seq: there is no place in its feed to follow from`,
      );
    seqs.push(run.before.updateSeq);
  }
  const seq = Math.min(...seqs);
  // Before anything is compared: whoever stores a document that is not held yet looks after that whether rows were
  // forgotten meanwhile, and one of us sees the other.
  await log.clear({ at: env.clock.now(), upTo: Math.min(seq, shownSeq ?? seq) });
  await compare(replica, ranges, { log, seq, found });
  return { status: 'done', seq, ...found };
}

/** Marks are written as they are found, some hundred in one transaction. */
const BATCH = 500;

async function compare(
  replica: Replica,
  ranges: readonly KeyRange[],
  { log, seq, found }: { log: ChangeLog; seq: number; found: Found },
): Promise<void> {
  const { env, packuments, changed, wanted } = replica;
  const at = env.clock.now();
  const batch: [string, ChangedMark][] = [];
  const add = async (name: string, rest: Partial<ChangedMark>) => {
    // What the feed has said since is newer than the listing.
    const said = await log.get(name);
    if (said && said.seq > seq) return false;
    batch.push([name, newMark({ seq, at, ...rest })]);
    if (batch.length >= BATCH) await changed.mark(batch.splice(0));
    return true;
  };
  for await (const [name, listed, held] of sideBySide(replica, ranges)) {
    if (held && !listed) {
      // Not in the list is the first word of it, a 404 the second.
      if (await add(name, { absences: 1 })) found.missing += 1;
    } else if (listed && !held) {
      if (isIn(name, wanted) && (await add(name, { rev: listed.rev, pin: true }))) found.added += 1;
    } else if (listed && held) {
      const metadata = await packuments.heldMetadata(name);
      // A document whose check learned no revision can only be followed, not compared.
      if (!metadata || metadata.rev === undefined || isUpToDate(metadata, listed.rev)) continue;
      if (await add(name, { rev: listed.rev })) found.changed += 1;
    }
  }
  await changed.mark(batch);
}

/** Listed names and held documents of some ranges, in the order of names. */
async function* sideBySide(
  replica: Replica,
  ranges: readonly KeyRange[],
): AsyncIterable<[name: string, listed: { rev: string | undefined } | undefined, held: boolean]> {
  const { env, storage, packuments } = replica;
  const client = new PartitionClient({ env: { ...env, storage } });
  const within = (await heldRanges({ ...env, storage })).filter(({ startKey, endKey }) =>
    ranges.some((range) => contains(range, { startKey, endKey })),
  );
  const rows = heldRows(client, within)[Symbol.asyncIterator]();
  const prefix = documentPrefix(packuments.form, env.registry);
  const keys = storage.list(prefix)[Symbol.asyncIterator]();
  try {
    let [row, key] = await Promise.all([rows.next(), keys.next()]);
    while (!row.done || !key.done) {
      const listed = row.done ? undefined : row.value;
      const held = key.done ? undefined : (unhex(key.value.slice(prefix.length)) as string);
      const order = held === undefined ? -1 : listed === undefined ? 1 : compareBytes(listed.name, held);
      if (order < 0) yield [(listed as { name: string }).name, listed, false];
      else if (order > 0 && isIn(held as string, ranges)) yield [held as string, undefined, true];
      else if (order === 0) yield [held as string, listed, true];
      if (order <= 0) row = await rows.next();
      if (order >= 0) key = await keys.next();
    }
  } finally {
    await Promise.all([rows.return?.(), keys.return?.()]);
  }
}

/** Ranges without those that lie in others. */
function outermost(ranges: readonly KeyRange[]): KeyRange[] {
  const bare = ranges.map(({ startKey, endKey }) => ({ startKey, endKey }));
  return bare.filter(
    (range, i) => !bare.some((other, j) => i !== j && contains(other, range) && !(contains(range, other) && j > i)),
  );
}

function contains(outer: KeyRange, inner: KeyRange): boolean {
  const starts =
    outer.startKey === null || (inner.startKey !== null && compareBytes(outer.startKey, inner.startKey) <= 0);
  const ends = outer.endKey === null || (inner.endKey !== null && compareBytes(inner.endKey, outer.endKey) <= 0);
  return starts && ends;
}
