import { bad, QUOTED, splitSpec } from './_read.js';

/** What a `bun.lock` holds. */
interface BunLock {
  workspaces: object;
  packages?: Record<string, unknown> | null;
}

const COMMENTS = new RegExp(`${QUOTED}|//.*|/\\*[^]*?(?:\\*/|$)`, 'g');
const COMMAS = new RegExp(`${QUOTED}|,(?=\\s*[}\\]])`, 'g');

export function isBunLock(value: unknown): value is BunLock {
  return typeof (value as BunLock | null)?.workspaces === 'object' && 'lockfileVersion' in (value as object);
}

/** bun's JSON, in which comments, and commas before closing brackets, are allowed. Throws where it is not whole. */
export function parseBun(text: string): unknown {
  const keep = (token: string) => (token.startsWith('"') ? token : '');
  return JSON.parse(text.replace(COMMENTS, keep).replace(COMMAS, keep));
}

/**
 * Each entry is a list that begins with `name@version`. What came from a registry has that registry's text second (empty
 * for the default one); for workspaces, links, files, git and URLs there is an object or nothing.
 */
export function bunNames({ packages }: BunLock, file: string): Set<string> {
  const names = new Set<string>();
  for (const [key, entry] of Object.entries(packages ?? {})) {
    if (!Array.isArray(entry) || typeof entry[0] !== 'string')
      throw bad(file, `its entry ${JSON.stringify(key)} is empty`);
    const spec = splitSpec(entry[0]);
    if (spec && typeof entry[1] === 'string' && /^\d/.test(spec.range)) names.add(spec.name);
  }
  return names;
}
