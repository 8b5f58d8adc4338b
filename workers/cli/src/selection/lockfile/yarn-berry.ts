import { bad, entriesOf, splitSpec } from './_read.js';
import { type LockEntry, sourceOf } from './entry.js';

interface BerryEntry {
  resolution?: unknown;
}

/** A `yarn.lock` of yarn 2 and later. */
interface BerryLock extends Record<string, BerryEntry> {
  __metadata: object;
}

/** Patches of patches, each encoded once more; nobody goes on for longer. */
const MOST_PATCHES = 8;

export function isBerryLock(document: unknown): document is BerryLock {
  return typeof document === 'object' && document !== null && '__metadata' in document;
}

/**
 * Each entry's `resolution` says what was found: the real name of an alias, and by its protocol where it came from. The
 * checksums beside it are of yarn's own archives, not of tarballs.
 */
export function* yarnBerryEntries({ __metadata, ...entries }: BerryLock, file: string): Iterable<LockEntry> {
  for (const [key, { resolution }] of entriesOf(entries, file)) {
    if (typeof resolution !== 'string') throw bad(file, `its entry ${JSON.stringify(key)} has no resolution`);
    const entry = entryOf(resolution, file);
    if (entry) yield entry;
  }
}

/** `name@npm:1.0.0`, or the `name@npm:1.0.0` that a patch is for; `undefined` for what does not begin with a name. */
function entryOf(locator: string, file: string): LockEntry | undefined {
  let spec = splitSpec(locator);
  for (let depth = 0; depth < MOST_PATCHES && spec?.range.startsWith('patch:'); depth++)
    spec = splitSpec(decode(spec.range.slice('patch:'.length), file));
  if (!spec) return undefined;
  const { name, range } = spec;
  if (!range.startsWith('npm:')) return { source: sourceOf(range), name, resolved: range };
  const [version, bindings] = range.slice('npm:'.length).split('::', 2);
  return {
    source: 'registry',
    name,
    version,
    resolved: new URLSearchParams(bindings).get('__archiveUrl') ?? undefined,
  };
}

/** What is patched stands encoded before the patches' own names. */
function decode(patch: string, file: string): string {
  try {
    return decodeURIComponent(patch.replace(/#.*$/s, ''));
  } catch (cause) {
    throw bad(file, `it has a patch of nothing that can be read: ${patch.slice(0, 80)}`, cause);
  }
}
