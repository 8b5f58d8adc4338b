import type { Clock } from '@_all_docs/http';
import { type Answer, jsonAnswer } from './answer.js';
import type { Summary } from './summary.js';

export interface SearchParts {
  /** Names from this one on, in the order of their bytes. */
  names: (start: string) => AsyncIterable<string>;
  /** What the document of a name says in short, where it is held and small; nobody is asked for it. */
  describe: (name: string) => Promise<Pick<Summary, 'tags' | 'description' | 'modified'> | undefined>;
  clock: Clock;
  /** Names that one search looks at; 50,000 unless told. */
  mostScanned?: number | undefined;
}

const DEFAULT_SIZE = 20;
const MOST_SIZE = 250;
const MOST_FROM = 5_000;
const LONGEST_TEXT = 256;
const MOST_SCANNED = 50_000;
/** After so many names, others get their turn. */
const TURN = 2_000;

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

async function find(
  { names, clock, mostScanned = MOST_SCANNED }: SearchParts,
  text: string,
  wanted: number,
): Promise<string[]> {
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
      if (found.size >= wanted || scanned >= mostScanned) break;
      if (scanned % TURN === 0) await clock.sleep(0);
    }
  }
  return [...found];
}

/** The scores are constants, as npm's own are since 2026. */
const SCORE = { final: 1, detail: { quality: 1, popularity: 1, maintenance: 1 } };

async function describe(parts: SearchParts, name: string): Promise<object> {
  const summary = await parts.describe(name);
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
