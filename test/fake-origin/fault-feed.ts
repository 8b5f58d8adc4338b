import type { Exchange } from './exchange.ts';
import type { Hit } from './fault-book.ts';
import { mix } from './hash.ts';
import type { Answer } from './types.ts';

interface WireRow {
  seq: unknown;
  id: unknown;
  changes?: { rev: unknown }[];
  deleted?: boolean;
}

/** A page of `_changes` as it goes out. */
interface FeedPage {
  results: WireRow[];
  last_seq: unknown;
}

/** Faults of a page of `_changes`. Each gives back the page to write, or undefined when this page cannot have the fault. */
type FeedBend = (page: FeedPage, hit: Hit, since: number) => FeedPage | undefined;

const DESIGN = '_design/app';

export function bendFeed(bend: FeedBend) {
  return async (exchange: Exchange, hit: Hit): Promise<Answer | undefined> => {
    const answer = await exchange.plain();
    if (answer.status !== 200 || !answer.body) return undefined;
    const since = Number(exchange.route.query.get('since') ?? 0);
    const bent = bend(JSON.parse(answer.body.toString()) as FeedPage, hit, since);
    return bent && exchange.pack(answer, Buffer.from(JSON.stringify(bent)));
  };
}

/** All numbers are strings of digits. */
export const seqStrings: FeedBend = ({ results, last_seq }) => ({
  results: results.map((row) => ({ ...row, seq: String(row.seq) })),
  last_seq: String(last_seq),
});

/** One more row, without a name, before a row that is due; it has that one's number. */
export const nullIds: FeedBend = (page, hit) => besides(page, hit, (row) => ({ ...row, id: null }));

/** One more row, of a design document. */
export const designRows: FeedBend = (page, hit) => besides(page, hit, (row) => ({ ...row, id: DESIGN }));

/** One row says null for its revision. */
export const nullRevs: FeedBend = (page, { draw }) => {
  const at = placeIn(page, draw);
  if (at === undefined) return undefined;
  return { ...page, results: page.results.with(at, { ...(page.results[at] as WireRow), changes: [{ rev: null }] }) };
};

/** One row twice, the second right behind the first; no row is lost. */
export const feedDuplicate: FeedBend = (page, hit) => besides(page, hit, (row) => row);

/** Any two rows change places; `last_seq` stays. */
export const feedUnordered: FeedBend = (page, { draw }) => {
  const results = [...page.results];
  if (results.length < 2) return undefined;
  const one = draw % results.length;
  const other = (one + 1 + (mix(draw) % (results.length - 1))) % results.length;
  [results[one], results[other]] = [results[other] as WireRow, results[one] as WireRow];
  return { ...page, results };
};

/** `last_seq` is below the number that was asked for. */
export const lastSeqLow: FeedBend = (page, { draw }, since) =>
  since === 0 ? undefined : { ...page, last_seq: Math.max(0, since - 1 - (draw % 50)) };

/** Nothing new, whatever there is: the number that was asked for comes back, while the root goes on. */
export const feedFrozen: FeedBend = (page, _hit, since) =>
  page.results.length === 0 ? undefined : { results: [], last_seq: since };

/** The last rows are left out, and `last_seq` is as if they were not. */
export const feedGap: FeedBend = (page, { rule }) => {
  const left = rule.rows ?? Math.floor(page.results.length / 2);
  return left < page.results.length ? { ...page, results: page.results.slice(0, left) } : undefined;
};

/** Fewer rows than were asked for and are there; `last_seq` says so. */
export const feedShort: FeedBend = (page, { rule }) => {
  const results = page.results.slice(0, rule.rows ?? Math.ceil(page.results.length / 2));
  const last = results.at(-1);
  return last && results.length < page.results.length ? { results, last_seq: last.seq } : undefined;
};

function placeIn({ results }: FeedPage, draw: number): number | undefined {
  return results.length === 0 ? undefined : draw % results.length;
}

/** One row more, made from a row that is due, right behind it. */
function besides(page: FeedPage, { draw }: Hit, make: (row: WireRow) => WireRow): FeedPage | undefined {
  const at = placeIn(page, draw);
  if (at === undefined) return undefined;
  return { ...page, results: page.results.toSpliced(at + 1, 0, make(page.results[at] as WireRow)) };
}
