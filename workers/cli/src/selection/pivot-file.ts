import { PartitionError } from '@_all_docs/partition';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CliError } from '../exit.js';

/** The pivots of a file: JSON, or a module with a default export or an export `pivots`. Null ends may be there or not. */
export async function readPivots(file: string): Promise<string[]> {
  const value = file.endsWith('.json') ? await readJson(file) : await readModule(file);
  if (!Array.isArray(value)) {
    throw new PartitionError(
      'ERR_BAD_PIVOTS',
      `${file} has no list of pivots; it must be a JSON array, or a module with a default export or an export named pivots`,
    );
  }
  return value.filter((pivot, i) => pivot !== null || (i > 0 && i < value.length - 1));
}

async function readJson(file: string): Promise<unknown> {
  const text = await readText(file);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new PartitionError(
      'ERR_BAD_PIVOTS',
      `${file} is not JSON: ${(cause as Error).message}; give a JSON array of strings`,
      { cause },
    );
  }
  return Array.isArray(value) ? value : (value as { pivots?: unknown } | null)?.pivots;
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new CliError('ERR_NO_FILE', `cannot read ${file}: ${(cause as Error).message}; check its path`, undefined, {
      cause,
    });
  }
}

async function readModule(file: string): Promise<unknown> {
  await readText(file);
  try {
    const module = (await import(pathToFileURL(resolve(file)).href)) as { default?: unknown; pivots?: unknown };
    const inner = module.default as { pivots?: unknown } | undefined;
    return module.pivots ?? inner?.pivots ?? inner;
  } catch (cause) {
    throw new PartitionError(
      'ERR_BAD_PIVOTS',
      `cannot load ${file} as a module: ${(cause as Error).message}; give a JSON file, or a module with a default export or an export named pivots`,
      {
        cause,
      },
    );
  }
}
