import type { Exchange } from './exchange.ts';
import type { Hit } from './fault-book.ts';
import { mix } from './hash.ts';
import type { AllDocsPage } from './pages.ts';
import { allDocsAnswer } from './pages.ts';
import type { Answer } from './types.ts';
import type { World } from './world.ts';

/** Faults of a page of `_all_docs`. Each gives back the page to write, or undefined when this page cannot have the fault. */
type PageBend = (page: AllDocsPage, hit: Hit, world: World) => AllDocsPage | undefined;

const OUTSIDE = 3;

export function bendPage(bend: PageBend) {
  return async (exchange: Exchange, hit: Hit): Promise<Answer | undefined> => {
    const { world, pageLimit } = exchange.origin;
    let done = false;
    const answer = allDocsAnswer(world, exchange.route.query, pageLimit, (page) => {
      const bent = bend(page, hit, world);
      done = bent !== undefined;
      return bent ?? page;
    });
    return done ? exchange.pack(answer, answer.body as Buffer) : undefined;
  };
}

/** Says nothing of the rows that it leaves out. */
export const pageCut: PageBend = (page, { rule }) => {
  const left = rule.rows ?? Math.floor(page.ids.length / 2);
  return left < page.ids.length ? { ...page, ids: page.ids.slice(0, left) } : undefined;
};

/** Up to three rows from before the start key and three from past the end key, beside all that are due. */
export const rowsOutside: PageBend = (page, _hit, world) => {
  const { start, end, inclusiveEnd, ids } = page;
  const before = start === null ? [] : world.before(start, OUTSIDE);
  // Nothing sorts between a name and the same name with a zero byte.
  const past = end !== null && inclusiveEnd ? Buffer.concat([end, Buffer.alloc(1)]) : end;
  const after = past === null ? [] : world.page(past, null, true, OUTSIDE).ids;
  return before.length + after.length > 0 ? { ...page, ids: [...before, ...ids, ...after] } : undefined;
};

/** One row twice, the second right behind the first; no row is lost. */
export const rowsDuplicate: PageBend = (page, { draw }) => {
  if (page.ids.length === 0) return undefined;
  const at = draw % page.ids.length;
  return { ...page, ids: page.ids.toSpliced(at, 0, page.ids[at] as number) };
};

/** Any two rows change places, the last one included. */
export const rowsUnordered: PageBend = (page, { draw }) => {
  const ids = [...page.ids];
  if (ids.length < 2) return undefined;
  const one = draw % ids.length;
  const other = (one + 1 + (mix(draw) % (ids.length - 1))) % ids.length;
  [ids[one], ids[other]] = [ids[other] as number, ids[one] as number];
  return { ...page, ids };
};

/** `total_rows` up to 50 off, another way each time. */
export const totalMoves: PageBend = (page, { draw }) => ({
  ...page,
  total: Math.max(0, page.total + (draw % 101) - 50),
});
