import { USE_MARKS } from '@_all_docs/worker-node';
import { createHash } from 'node:crypto';

/** What is changed in a file: our lines, and the lines of the user's that say the same and have to step aside. */
export interface Edit {
  /** Our lines come before this one; counted from 0. */
  at: number;
  lines: string[];
  aside: number[];
}

/** Our block in a file, and what becomes of the file without it. */
export interface Block {
  /** Our lines. */
  lines: string[];
  /** How many lines it keeps as comments. */
  kept: number;
  /** The file as it was; `undefined` when there was none and nobody added anything. */
  restored: string | undefined;
}

/** The last stands in front of the user's own lines while ours are in force: a comment in all formats that we write. */
const { begin: BEGIN, end: END, aside: ASIDE } = USE_MARKS;
const NEW_FILE = 'new-file';
const NO_NEWLINE = 'no-newline';

/** The text with our block in it. Everything else stays byte for byte; `undefined` stands for a file that is not there. */
export function insertBlock(text: string | undefined, { at, lines, aside }: Edit): string {
  const own = splitLines(text ?? '');
  const eol = text?.includes('\r\n') ? '\r\n' : '\n';
  const last = own.at(-1) ?? '';
  const flags = [
    ...(text === undefined ? [NEW_FILE] : []),
    // Our block would else continue the last line.
    ...(at === own.length && last !== '' && !last.endsWith('\n') ? [NO_NEWLINE] : []),
  ];
  const kept = aside.map((index) => own[index] as string);
  for (const index of aside) own[index] = ASIDE + own[index];
  if (flags.includes(NO_NEWLINE)) own[own.length - 1] += eol;
  const begin = [BEGIN, ...flags, checkOf(lines, kept)].join(' ');
  own.splice(at, 0, ...[begin, ...lines, END].map((line) => line + eol));
  return own.join('');
}

/**
 * The block in a text; `undefined` when there is none, `changed` when it, or what it put aside, is not what we wrote: then
 * nobody can say what would be put back.
 */
export function findBlock(text: string): Block | 'changed' | undefined {
  const all = splitLines(text);
  const begin = all.findIndex((line) => line.startsWith(BEGIN));
  const end = all.findIndex((line) => line.trimEnd() === END);
  const kept = all.filter((line) => line.startsWith(ASIDE));
  if (begin < 0 && end < 0 && kept.length === 0) return undefined;
  if (begin < 0 || end < begin) return 'changed';
  const flags = (all[begin] as string).slice(BEGIN.length).trim().split(' ');
  const lines = all.slice(begin + 1, end).map((line) => line.replace(/\r?\n$/, ''));
  const wasKept = kept.map((line) => line.slice(ASIDE.length));
  if (flags.at(-1) !== checkOf(lines, wasKept)) return 'changed';
  const rest = [...all.slice(0, begin), ...all.slice(end + 1)].map((line) =>
    line.startsWith(ASIDE) ? line.slice(ASIDE.length) : line,
  );
  if (flags.includes(NO_NEWLINE) && end === all.length - 1) {
    rest.push((rest.pop() ?? '').replace(/\r?\n$/, ''));
  }
  const restored = rest.join('');
  const isGone = restored === '' && flags.includes(NEW_FILE);
  return { lines, kept: kept.length, restored: isGone ? undefined : restored };
}

/** Lines with their endings. A byte order mark stands by itself, so that nothing gets in front of it. */
export function splitLines(text: string): string[] {
  return text.match(/^\uFEFF|[^\n]*\n|[^\n]+$/g) ?? [];
}

/** Tells whether lines are those that we wrote; line endings do not count. */
function checkOf(lines: readonly string[], kept: readonly string[]): string {
  const told = [...lines, ...kept.map((line) => line.replace(/\r?\n$/, ''))];
  return createHash('sha256').update(JSON.stringify(told)).digest('hex').slice(0, 12);
}
