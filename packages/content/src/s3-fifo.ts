/** What eviction knows of an index row. */
export interface Candidate {
  key: string;
  /** Bytes of its blob. */
  size: number;
  /** Epoch milliseconds at which it came, and was asked for last. */
  at: number;
  accessedAt: number;
  /** How often it was asked for since it came or was last looked at; at most 3. */
  hits: number;
  /** When it came into the main queue; `undefined` while it is in the small one, where everything begins. */
  mainAt: number | undefined;
}

/** Candidates to be dropped, and those whose `hits` and `mainAt` are others now. */
export interface Verdicts {
  evicted: Candidate[];
  moved: Candidate[];
}

const SMALL_SHARE = 0.1;

/**
 * S3-FIFO (Yang et al., SOSP 2023) over stored rows. What comes goes through a small queue, in which most of what is
 * asked for only once ends; what was asked for again there moves to the main queue, where each further use buys one
 * more round. Drops the first in line until at least `excess` bytes are gone. `now` marks places at the end of a queue.
 */
export function s3Fifo(candidates: readonly Candidate[], excess: number, limit: number, now: number): Verdicts {
  const small = candidates.filter(({ mainAt }) => mainAt === undefined).sort((a, b) => a.at - b.at);
  const main = candidates
    .filter(({ mainAt }) => mainAt !== undefined)
    .sort((a, b) => (a.mainAt ?? 0) - (b.mainAt ?? 0));
  let smallBytes = small.reduce((sum, { size }) => sum + size, 0);
  const moved = new Set<Candidate>();
  const evicted: Candidate[] = [];
  const toMain = (candidate: Candidate, hits: number) => {
    const again = { ...candidate, hits, mainAt: now };
    moved.delete(candidate);
    moved.add(again);
    main.push(again);
  };
  let [nextSmall, nextMain, freed] = [0, 0, 0];
  while (freed < excess) {
    const fromSmall = nextSmall < small.length && (smallBytes > limit * SMALL_SHARE || nextMain >= main.length);
    const candidate = fromSmall ? small[nextSmall++] : main[nextMain++];
    if (!candidate) break;
    if (fromSmall) smallBytes -= candidate.size;
    if (candidate.hits > (fromSmall ? 1 : 0)) {
      toMain(candidate, fromSmall ? 0 : candidate.hits - 1);
      continue;
    }
    moved.delete(candidate);
    evicted.push(candidate);
    freed += candidate.size;
  }
  return { evicted, moved: [...moved] };
}

/** Drops what was asked for least recently. */
export function lru(candidates: readonly Candidate[], excess: number): Verdicts {
  const evicted: Candidate[] = [];
  let freed = 0;
  for (const candidate of candidates.toSorted((a, b) => a.accessedAt - b.accessedAt)) {
    if (freed >= excess) break;
    evicted.push(candidate);
    freed += candidate.size;
  }
  return { evicted, moved: [] };
}
