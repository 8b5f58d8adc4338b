import { bad, entriesOf, splitSpec } from './_read.js';

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

/** Each entry's `resolution` says what was found: the real name of an alias, and by its protocol where it came from. */
export function yarnBerryNames({ __metadata, ...entries }: BerryLock, file: string): Set<string> {
  const names = new Set<string>();
  for (const [key, { resolution }] of entriesOf(entries, file)) {
    if (typeof resolution !== 'string') throw bad(file, `its entry ${JSON.stringify(key)} has no resolution`);
    const name = registryName(resolution, file);
    if (name !== undefined) names.add(name);
  }
  return names;
}

/** The name in `name@npm:1.0.0`, or in the `name@npm:1.0.0` that a patch is for; `undefined` for all other protocols. */
function registryName(locator: string, file: string): string | undefined {
  let spec = splitSpec(locator);
  for (let depth = 0; depth < MOST_PATCHES && spec?.range.startsWith('patch:'); depth++)
    spec = splitSpec(decode(spec.range.slice('patch:'.length), file));
  return spec?.range.startsWith('npm:') ? spec.name : undefined;
}

/** What is patched stands encoded before the patches' own names. */
function decode(patch: string, file: string): string {
  try {
    return decodeURIComponent(patch.replace(/#.*$/s, ''));
  } catch (cause) {
    throw bad(file, `it has a patch of nothing that can be read: ${patch.slice(0, 80)}`, cause);
  }
}
