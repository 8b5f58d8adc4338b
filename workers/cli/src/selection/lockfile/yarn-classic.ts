import { bad, fromRegistry, QUOTED, splitSpec } from './_read.js';
import { type LockEntry, sourceOf } from './entry.js';

/** One entry of a `yarn.lock` of yarn 1: what was asked for, and the tarball that was found. */
interface ClassicEntry {
  specs: string[];
  version?: string;
  resolved?: string;
  integrity?: string;
}

/** What a head lists, with commas between: quoted where a character makes that necessary. */
const SPECS = new RegExp(`${QUOTED}|[^\\s,"]+`, 'g');

export function isClassicLock(text: string): boolean {
  // Some tools leave the header out; a value without a colon before it is this format's own.
  return /^# yarn lockfile v1\r?$/m.test(text) || /^ {2}version "/m.test(text);
}

/** An alias carries the real name behind `npm:`; ranges of other protocols, and `user/repository`, are no registry's. */
export function* yarnClassicEntries(text: string, file: string): Iterable<LockEntry> {
  for (const { specs, version, resolved, integrity } of parse(text, file)) {
    const asked = specs.flatMap((spec) => splitSpec(spec) ?? []);
    // An offline mirror is a folder of files: only a URL says where a tarball came from.
    const url = resolved?.includes('://') ? resolved : undefined;
    if (!fromRegistry(url)) {
      yield { source: sourceOf(url ?? ''), name: asked[0]?.name ?? '', resolved: url };
      continue;
    }
    // A resolution stands beside what it replaces: then the alias is what was found.
    const aliases = asked.flatMap(({ range }) =>
      range.startsWith('npm:') ? (splitSpec(range.slice('npm:'.length)) ?? []) : [],
    );
    const named = aliases.length > 0 ? aliases : asked;
    const found = new Set(named.filter(({ range }) => !/[:/]/.test(range)).map(({ name }) => name));
    const known = { version, resolved: url, integrity: integrity ?? sha1Of(resolved) };
    for (const name of found) yield { source: 'registry', name, ...known };
    if (found.size === 0) yield { source: sourceOf(named[0]?.range ?? ''), name: named[0]?.name ?? '' };
  }
}

/** Before it wrote integrities, yarn put the SHA-1 behind the URL. */
function sha1Of(resolved: string | undefined): string | undefined {
  const hex = /#([0-9a-f]{40})$/.exec(resolved ?? '')?.[1];
  return hex === undefined ? undefined : `sha1-${Buffer.from(hex, 'hex').toString('base64')}`;
}

/** Only the lines that matter here: an entry's head, which stands at the margin, and its fields. */
function* parse(text: string, file: string): Iterable<ClassicEntry> {
  let entry: ClassicEntry | undefined;
  for (const line of text.split(/\r?\n/)) {
    const field = /^ {2}(version|resolved|integrity) (.*)$/.exec(line);
    if (field && entry) entry[field[1] as 'version' | 'resolved' | 'integrity'] = unquote(field[2] as string, file);
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
