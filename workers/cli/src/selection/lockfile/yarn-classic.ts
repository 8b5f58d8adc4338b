import { bad, fromRegistry, QUOTED, splitSpec } from './_read.js';

/** One entry of a `yarn.lock` of yarn 1: what was asked for, and the tarball that was found. */
interface ClassicEntry {
  specs: string[];
  resolved?: string;
}

/** What a head lists, with commas between: quoted where a character makes that necessary. */
const SPECS = new RegExp(`${QUOTED}|[^\\s,"]+`, 'g');

export function isClassicLock(text: string): boolean {
  // Some tools leave the header out; a value without a colon before it is this format's own.
  return /^# yarn lockfile v1\r?$/m.test(text) || /^ {2}version "/m.test(text);
}

/** An alias carries the real name behind `npm:`; ranges of other protocols, and `user/repository`, are no registry's. */
export function yarnClassicNames(text: string, file: string): Set<string> {
  const names = new Set<string>();
  for (const { specs, resolved } of parse(text, file)) {
    // An offline mirror is a folder of files: only a URL says where a tarball came from.
    if (resolved?.includes('://') && !fromRegistry(resolved)) continue;
    const asked = specs.flatMap((spec) => splitSpec(spec) ?? []);
    // A resolution stands beside what it replaces: then the alias is what was found.
    const aliases = asked.flatMap(({ range }) =>
      range.startsWith('npm:') ? (splitSpec(range.slice('npm:'.length)) ?? []) : [],
    );
    for (const { name, range } of aliases.length > 0 ? aliases : asked) {
      if (!/[:/]/.test(range)) names.add(name);
    }
  }
  return names;
}

/** Only the lines that matter here: an entry's head, which stands at the margin, and its `resolved`. */
function* parse(text: string, file: string): Iterable<ClassicEntry> {
  let entry: ClassicEntry | undefined;
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('  resolved ') && entry) entry.resolved = unquote(line.slice('  resolved '.length), file);
    if (line === '' || line.startsWith('#') || line.startsWith(' ')) continue;
    if (!line.endsWith(':'))
      throw bad(file, `it has a line that is none of yarn's: ${JSON.stringify(line.slice(0, 80))}`);
    if (entry) yield entry;
    entry = {
      specs: (line.slice(0, -1).match(SPECS) ?? []).map((spec) => unquote(spec, file)),
    };
  }
  if (entry) yield entry;
}

/** Quoted values are JSON strings. */
function unquote(text: string, file: string): string {
  if (!text.startsWith('"')) return text;
  try {
    return JSON.parse(text) as string;
  } catch (cause) {
    throw bad(file, `it has a value that is not whole: ${text.slice(0, 80)}`, cause);
  }
}
