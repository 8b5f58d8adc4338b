import { parsePackageName } from '@_all_docs/packument';
import { CliError } from '../exit.js';

/** Names, one a line (blank lines and lines that begin with `#` apart) or as a JSON array. */
export function parseNames(text: string, file: string): string[] {
  const names = text.trimStart().startsWith('[') ? jsonNames(text, file) : lines(text);
  if (names.length === 0) throw new CliError('ERR_BAD_NAMES', `${file} names no package; put one name on each line`);
  return names.map(parsePackageName);
}

function lines(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

function jsonNames(text: string, file: string): string[] {
  let names: unknown;
  try {
    names = JSON.parse(text);
  } catch (cause) {
    throw new CliError(
      'ERR_BAD_NAMES',
      `${file} begins like a JSON array but is not one; close it, or put one name on each line`,
      undefined,
      { cause },
    );
  }
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) {
    throw new CliError('ERR_BAD_NAMES', `${file} must be a JSON array of strings`);
  }
  return names;
}
