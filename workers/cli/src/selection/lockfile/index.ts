import { parsePackageName } from '@_all_docs/packument';
import { parseAllDocuments } from 'yaml';
import { bad } from './_read.js';
import { bunNames, isBunLock, parseBun } from './bun.js';
import { isNpmLock, npmNames } from './npm.js';
import { isPnpmLock, pnpmNames } from './pnpm.js';
import { isBerryLock, yarnBerryNames } from './yarn-berry.js';
import { isClassicLock, yarnClassicNames } from './yarn-classic.js';

/**
 * The names of all registry packages in a lockfile of npm (any version), pnpm, yarn (1 and later) or bun (text), told
 * apart by what they say. `ERR_BAD_LOCKFILE` for anything else.
 */
export function lockfileNames(content: string, file: string): Set<string> {
  const names = readNames(content.replace(/^\ufeff/, ''), file);
  if (names.size === 0) throw bad(file, 'it names no package of a registry');
  for (const name of names) assertName(name, file);
  return names;
}

function readNames(text: string, file: string): Set<string> {
  if (/^#!.*\nbun-lockfile-format/.test(text))
    throw bad(
      file,
      "it is bun's binary form; make the text form with: bun install --save-text-lockfile --lockfile-only",
    );
  if (/^(<{7}|>{7}) /m.test(text)) throw bad(file, 'it has conflicts of a merge; install once more to settle them');
  if (/^\s*[{/]/.test(text)) return jsonNames(text, file);
  if (isClassicLock(text)) return yarnClassicNames(text, file);
  const documents = yamlDocuments(text, file);
  const [first] = documents;
  if (isBerryLock(first)) return yarnBerryNames(first, file);
  const locks = documents.filter(isPnpmLock);
  if (locks.length === 0) throw bad(file, 'it is a lockfile of neither npm, pnpm, yarn nor bun');
  return pnpmNames(locks, file);
}

function jsonNames(text: string, file: string): Set<string> {
  let lock: unknown;
  try {
    // What npm writes is strict JSON; bun's has commas before closing brackets.
    lock = parseStrict(text) ?? parseBun(text);
  } catch (cause) {
    throw bad(file, 'it is not whole JSON', cause);
  }
  if (isBunLock(lock)) return bunNames(lock, file);
  if (isNpmLock(lock)) return npmNames(lock, file);
  throw bad(file, 'it has no lockfileVersion');
}

function parseStrict(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function yamlDocuments(text: string, file: string): unknown[] {
  try {
    const list = [parseAllDocuments(text)].flat();
    const broken = list.find(({ errors }) => errors.length > 0);
    if (broken) throw broken.errors[0];
    return list.map((document) => document.toJS());
  } catch (cause) {
    throw bad(file, `it is not whole YAML: ${(cause as Error).message.split('\n')[0]}`, cause);
  }
}

/** A lockfile is somebody else's text: what could not be asked for is refused with the file's name. */
function assertName(name: unknown, file: string): void {
  let same = false;
  try {
    same = typeof name === 'string' && parsePackageName(name) === name;
  } catch (cause) {
    throw bad(file, `${JSON.stringify(name)} is not a package name`, cause);
  }
  if (!same) throw bad(file, `${JSON.stringify(name)} is not a package name`);
}
