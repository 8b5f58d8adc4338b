import { assertRange, Partition } from '@_all_docs/partition';
import { nameList, type Selection, scopeSelection } from '@_all_docs/worker';
import { readFile } from 'node:fs/promises';
import { text as readStream } from 'node:stream/consumers';
import { CliError } from '../exit.js';
import { parseNames } from './names-file.js';
import { readPivots } from './pivot-file.js';

/** The flags by which packages are chosen. */
export interface SelectionFlags {
  pivots?: string;
  names?: string;
  lockfile?: string;
  scope?: string;
  start?: string;
  end?: string;
}

/** The selection that the flags describe; everything when there is none. `ERR_USAGE` for flags that contradict each other. */
export async function chooseSelection(flags: SelectionFlags): Promise<Selection> {
  const lists = (['names', 'lockfile'] as const).filter((flag) => flags[flag] !== undefined);
  const ranges = (['pivots', 'scope', 'start', 'end'] as const).filter((flag) => flags[flag] !== undefined);
  if (lists.length > 1 || (lists.length > 0 && ranges.length > 0)) {
    throw new CliError(
      'ERR_USAGE',
      `choose packages in one way: --${[...lists, ...ranges].join(', --')} exclude each other`,
    );
  }
  if (flags.scope !== undefined && (flags.start !== undefined || flags.end !== undefined)) {
    throw new CliError('ERR_USAGE', 'choose packages in one way: --scope and --start/--end exclude each other');
  }
  if (flags.names !== undefined) return nameList(parseNames(await readText(flags.names), flags.names));
  if (flags.lockfile !== undefined) {
    // Loaded only here, with the YAML parser that it needs.
    const { lockfileNames } = await import('./lockfile/index.js');
    return nameList(lockfileNames(await readText(flags.lockfile), flags.lockfile));
  }
  const pivots = flags.pivots === undefined ? undefined : await readPivots(flags.pivots);
  // Refused before anything is asked of the origin.
  if (pivots) Partition.fromPivots(pivots);
  if (flags.scope !== undefined) {
    if (!/^@?[^@/]+$/.test(flags.scope))
      throw new CliError('ERR_USAGE', `not a scope: ${flags.scope}; use --scope @types`);
    return { ...scopeSelection(flags.scope), pivots };
  }
  const range = { startKey: flags.start ?? null, endKey: flags.end ?? null };
  assertRange(range);
  return { kind: 'range', ...range, pivots };
}

/** The text of a file, `-` for standard input. `ERR_NO_FILE`. */
export async function readText(file: string): Promise<string> {
  try {
    return file === '-' ? await readStream(process.stdin) : await readFile(file, 'utf8');
  } catch (cause) {
    throw new CliError('ERR_NO_FILE', `cannot read ${file}: ${(cause as Error).message}; check its path`, undefined, {
      cause,
    });
  }
}
