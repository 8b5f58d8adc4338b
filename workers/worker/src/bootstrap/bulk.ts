import type { HeldDocument, ReceivedDocument } from '@_all_docs/origin';
import { isOlderRevision } from '@_all_docs/packument';
import { type Context, isItemError } from './context.js';
import type { Wanted, WantedNames } from './walk.js';

/** So many packages have been settled in bulk: nothing is left to do for them. */
export interface Settled {
  settled: number;
}

/** For fewer names a request each is as good. */
export const LEAST_NAMES = 32;

/**
 * Brings the documents of a portion over as the origin, a replica, holds them. Then gives what it did not send, to be asked for
 * by name: what it does not hold, what was damaged, what it holds from before the listed revision (it serves no such
 * document either before it has asked for it again), and everything when it cannot do it. One batch is kept while the next
 * one arrives, no more: they are the largest things in memory.
 */
export async function* inBulk(context: Context, wanted: WantedNames, fresh: boolean): AsyncGenerator<Settled | Wanted> {
  const { upstream, run, signal } = context;
  const [start, end] = [wanted.at(0)?.name, wanted.at(-1)?.name];
  const { left, held, open } = await lookUp(context, wanted, fresh);
  let keeping = Promise.resolve();
  try {
    if (upstream && start !== undefined && end !== undefined && open >= LEAST_NAMES) {
      for await (const documents of upstream.client.documents({ start, end, form: run.form, held, signal })) {
        // It may hold more than it lists: what clients asked it for.
        const ours = documents.filter(({ name }) => left.has(name));
        await keeping;
        keeping = keep(context, ours, left);
        // Its error is thrown where it is awaited.
        keeping.catch(() => {});
        yield { settled: ours.length };
      }
    }
  } catch (error) {
    if (!isItemError(error)) throw error;
  } finally {
    await keeping;
  }
  for (const [name, rev] of left) yield { name, rev };
}

/** The names of a portion, and what is held of them, as the other replica is told; `open` is how many are to be asked for. */
async function lookUp(
  { packuments, run }: Context,
  wanted: WantedNames,
  fresh: boolean,
): Promise<{ left: Map<string, string | undefined>; held: Map<string, string | true>; open: number }> {
  const left = new Map<string, string | undefined>();
  const held = new Map<string, string | true>();
  let open = 0;
  for (const { name, rev } of wanted) {
    left.set(name, rev);
    const known = fresh ? undefined : await packuments.heldMetadata(name);
    const isCurrent = known && (known.storedAt >= run.startedAt || (rev !== undefined && known.rev === rev));
    if (!isCurrent) open += 1;
    if (isCurrent) held.set(name, true);
    else if (known?.digest) held.set(name, known.digest);
  }
  return { left, held, open };
}

/** Keeps what came, in one transaction where the store has them; what fails its check, or is late, stays among those that are left. */
async function keep(
  { packuments, outcomes, meter, tally }: Context,
  documents: readonly (ReceivedDocument | HeldDocument)[],
  left: Map<string, string | undefined>,
): Promise<void> {
  await Promise.all(
    documents.map(async ({ name, entry }) => {
      try {
        const announced = left.get(name);
        const isLate = entry
          ? !(await packuments.adopt(name, entry, { announced }))
          : isOlderRevision((await packuments.heldMetadata(name))?.rev, announced);
        if (isLate) return;
      } catch (error) {
        if (isItemError(error)) return;
        throw error;
      }
      left.delete(name);
      tally[entry ? 'stored' : 'unchanged'] += 1;
      await outcomes.fetched(name);
      meter.add(1);
    }),
  );
}
