import type { Change, ChangeLog } from '@_all_docs/changes';
import { type ChangedMark, isUpToDate, newMark } from '@_all_docs/registry';
import { isIn, type Replica } from './replica.js';

/** What came of rows of the feed. */
export interface Applied {
  rows: number;
  /** Documents that are not served before they were asked for again; new names that are wanted among them. */
  marked: number;
  /** Packages that the feed said are deleted, and that were held. */
  removed: number;
}

/**
 * The effects of rows of the feed, at once and as often as one likes: all of it is taken down in the log, what changed is
 * marked, what was deleted is given up. Nothing is asked of the registry.
 */
export async function applyChanges(
  changes: readonly Change[],
  { replica, log, windowMs }: { replica: Replica; log: ChangeLog; windowMs: number },
): Promise<Applied> {
  const { env, packuments, changed, wanted } = replica;
  const applied: Applied = { rows: changes.length, marked: 0, removed: 0 };
  const marks: [string, ChangedMark][] = [];
  // First: who stores a document that is not here yet looks into the log after that, and one of us sees the other.
  await log.apply(changes);
  for (const change of changes) {
    const { name, seq, rev, deleted } = change;
    const held = await packuments.heldMetadata(name);
    if (deleted) {
      // What is not held may be marked: then it is on its way.
      if (!held && !(await changed.get(name))) continue;
      await changed.remove(name, 'deleted');
      applied.removed += 1;
    } else if (held ? !isUpToDate(held, rev) : isIn(name, wanted)) {
      const at = env.clock.now();
      marks.push([name, newMark({ seq, rev, at, dueAt: at + windowMs, pin: held ? undefined : true })]);
    }
  }
  await changed.mark(marks);
  applied.marked = marks.length;
  return applied;
}
