import type { Clock } from '@_all_docs/http';
import { type Answer, jsonAnswer } from './answer.js';
import type { Documents } from './documents.js';
import type { Summaries } from './summaries.js';

export interface SearchParts {
  /** Names from this one on, in the order of their bytes. */
  names: (start: string) => AsyncIterable<string>;
  documents: Documents;
  summaries: Summaries;
  clock: Clock;
}

const DEFAULT_SIZE = 20;
const MOST_SIZE = 250;
const MOST_FROM = 5_000;
const LONGEST_TEXT = 256;
/** Names that one search looks at; after so many, others get their turn. */
const MOST_SCANNED = 50_000;
const TURN = 2_000;
/** Larger documents are not unpacked for a line of a list. */
const LARGEST_DESCRIBED = 1024 * 1024;

/**
 * `GET /-/v1/search`: names that begin with the text, then names that have all of its words in them, out of what is
 * listed and held. `total` is what was found so far: at least that many. Tags, date and description are those of held documents.
 */
export async function answerSearch(parts: SearchParts, query: string): Promise<Answer> {
  const parameters = new URLSearchParams(query);
  const text = parameters.get('text')?.trim() ?? '';
  if (text === '') return jsonAnswer(400, { code: 'ERR_TEXT_MISSING', error: "'text' query parameter is required" });
  if (text.length > LONGEST_TEXT) {
    return jsonAnswer(400, { code: 'ERR_TEXT_LENGTH', error: `'text' is over ${LONGEST_TEXT} characters` });
  }
  const size = whole(parameters.get('size'), DEFAULT_SIZE, MOST_SIZE);
  const from = whole(parameters.get('from'), 0, MOST_FROM);
  const names = await find(parts, text, from + size + 1);
  const objects = [];
  for (const name of names.slice(from, from + size)) objects.push(await describe(parts, name));
  return jsonAnswer(200, { objects, total: names.length, time: new Date(parts.clock.now()).toISOString() });
}

async function find({ names, clock }: SearchParts, text: string, wanted: number): Promise<string[]> {
  const found = new Set<string>();
  for await (const name of names(text)) {
    if (!name.startsWith(text) || found.size >= wanted) break;
    found.add(name);
  }
  const words = text.toLowerCase().split(/\s+/);
  let scanned = 0;
  if (found.size < wanted) {
    for await (const name of names('')) {
      const lower = name.toLowerCase();
      if (words.every((word) => lower.includes(word))) found.add(name);
      scanned += 1;
      if (found.size >= wanted || scanned >= MOST_SCANNED) break;
      if (scanned % TURN === 0) await clock.sleep(0);
    }
  }
  return [...found];
}

/** The scores are constants, as npm's own are since 2026. */
const SCORE = { final: 1, detail: { quality: 1, popularity: 1, maintenance: 1 } };

async function describe({ documents, summaries }: SearchParts, name: string): Promise<object> {
  const found = await documents.peek(name);
  const summary = found && found.metadata.size <= LARGEST_DESCRIBED ? await summaries.of(found) : undefined;
  return {
    package: {
      name,
      scope: name.startsWith('@') ? name.slice(1, name.indexOf('/')) : 'unscoped',
      version: summary?.tags.get('latest') ?? '',
      description: summary?.description ?? '',
      keywords: [],
      date: summary?.modified,
      links: {},
      maintainers: [],
    },
    score: SCORE,
    searchScore: 1,
  };
}

function whole(text: string | null, otherwise: number, most: number): number {
  const value = text === null || !/^\d+$/.test(text) ? otherwise : Number(text);
  return Math.min(value, most);
}
