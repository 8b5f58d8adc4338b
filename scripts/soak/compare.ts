import { createPackumentPrefix, encodeOrigin, prefixRange, unhex } from '@_all_docs/cache';
import { heldRanges, heldRows, PartitionClient } from '@_all_docs/partition';
import { createEnv } from '@_all_docs/worker-node';

export interface Differences {
  names: number;
  documents: number;
  /** Right, or gone at the origin, and not served before they are asked for once more: a 404, true or false, was the last word. */
  waiting: number;
  problems: string[];
}

const REVISION = 'is held at another revision than the origin has';
/** Differences of one kind that are told of. */
const MOST = 5;

/**
 * Compares a replica with the origin: the listed names with those of the list, and what is held with the revisions, where
 * all that is listed below `end` must be held. What is marked is not served; only what a 404 was said of may wait so.
 */
export async function compare(
  { cache, url, end }: { cache: string; url: string; end: string | undefined },
  { names, truth }: { names: readonly string[]; truth: ReadonlyMap<string, string | undefined> },
): Promise<Differences> {
  const env = await createEnv({ cache, origin: url, registry: url });
  try {
    const { storage } = env;
    const found: Differences = { names: 0, documents: 0, waiting: 0, problems: [] };
    const said = new Map<string, number>();
    const say = (name: string, what: string) => {
      const times = (said.get(what) ?? 0) + 1;
      said.set(what, times);
      if (times <= MOST) found.problems.push(`${name} ${what}`);
    };
    const listed = new Set(names);
    const here = new Set<string>();
    for await (const { name } of heldRows(new PartitionClient({ env }), await heldRanges(env))) here.add(name);
    for (const name of here) if (!listed.has(name)) say(name, 'is listed here, and not at the origin');
    for (const name of listed) if (!here.has(name)) say(name, 'is not listed here');
    found.names = here.size;
    const marks = new Set<string>();
    const changed = `v1:changed:${encodeOrigin(url)}:`;
    for await (const [key] of storage.ordered.list(prefixRange(changed)))
      marks.add(unhex(key.slice(changed.length)) as string);
    const prefix = createPackumentPrefix('packument', url);
    const held = new Map<string, string | undefined>();
    for await (const key of storage.list(prefix))
      held.set(unhex(key.slice(prefix.length)) as string, (await storage.head(key))?.rev);
    found.documents = held.size;
    for (const [name, rev] of held) {
      const right = truth.get(name);
      if (marks.has(name) && (right === undefined || right === rev)) found.waiting += 1;
      else if (right === undefined) say(name, 'is held, and gone at the origin');
      else if (right !== rev) say(`${name} (${rev}, not ${right}${marks.has(name) ? ', marked' : ''})`, REVISION);
    }
    for (const [name, rev] of truth) {
      const isWanted = end === undefined || Buffer.compare(Buffer.from(name), Buffer.from(end)) < 0;
      if (rev !== undefined && isWanted && listed.has(name) && !held.has(name)) say(name, 'is not held');
    }
    for (const [what, times] of said) if (times > MOST) found.problems.push(`${times} ${what}`);
    return found;
  } finally {
    await env.close();
  }
}
