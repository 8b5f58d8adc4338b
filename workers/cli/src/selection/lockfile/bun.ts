import { bad, QUOTED, splitSpec } from './_read.js';
import { type LockEntry, sourceOf } from './entry.js';

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
 * Each entry is a list that begins with `name@version`. What came from a registry has second where it lies there (empty for
 * the default one), and its integrity last; for workspaces, links, files, git and URLs there is an object or nothing second.
 */
export function* bunEntries({ packages }: BunLock, file: string): Iterable<LockEntry> {
  for (const [key, entry] of Object.entries(packages ?? {})) {
    if (!Array.isArray(entry) || typeof entry[0] !== 'string')
      throw bad(file, `its entry ${JSON.stringify(key)} is empty`);
    const [locator, resolved, , integrity] = entry as unknown[];
    const spec = splitSpec(locator as string);
    if (!spec) continue;
    const { name, range } = spec;
    if (typeof resolved !== 'string' || !/^\d/.test(range)) yield { source: sourceOf(range), name, resolved: range };
    else
      yield { source: 'registry', name, version: range, resolved: resolved || undefined, integrity: textOf(integrity) };
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
