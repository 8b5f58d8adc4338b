import { hashText, random } from './hash.ts';
import { pick, WORDS } from './words.ts';

const POOL = 512 * 1024;
const LONGEST = 65536;
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Ready-made text: slicing it is far cheaper than writing it. The prose is already escaped for JSON. */
export class Prose {
  #text: string;
  #base64: string;

  constructor(seed: number) {
    const next = random(hashText('prose', seed));
    this.#text = writeText(next);
    this.#base64 = Array.from({ length: 65536 }, () => BASE64.charAt(Math.floor(next() * 64))).join('');
  }

  /** `length` characters (at most 64 Ki) that depend on `hash`; safe inside a JSON string. */
  text(hash: number, length: number): string {
    const start = this.#text.indexOf(' ', hash % (POOL - LONGEST - 2000)) + 1;
    const slice = this.#text.slice(start, start + Math.min(length, LONGEST));
    // The only escape in the pool is \n; do not end inside one.
    return slice.endsWith('\\') ? slice.slice(0, -1) : slice;
  }

  base64(hash: number, length: number): string {
    const start = hash % (this.#base64.length - length);
    return this.#base64.slice(start, start + length);
  }
}

function writeText(next: () => number): string {
  const parts: string[] = [];
  for (let size = 0; size < POOL; ) {
    const sentence = writeSentence(next);
    parts.push(sentence);
    size += sentence.length;
  }
  return parts.join('').slice(0, POOL);
}

function writeSentence(next: () => number): string {
  const words = Array.from({ length: 4 + Math.floor(next() * 12) }, () => pick(WORDS, next));
  const kind = next();
  if (kind < 0.1) return `\\n\\n## ${words.slice(0, 3).join(' ')}\\n\\n`;
  if (kind < 0.2) return `\\n\\n    const ${words[0]} = require('${words[1]}').${words[2]}(${words[3]});\\n\\n`;
  return `${words.join(' ')}. `;
}
