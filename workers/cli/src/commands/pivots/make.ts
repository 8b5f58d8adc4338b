import { cutNames, type SortedNames } from '@_all_docs/partition';
import { writeFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { CliError, EXIT } from '../../exit.js';
import type { Io } from '../../io.js';
import { namesHeld, namesInFile } from '../../names-source.js';
import { type EnvFlags, withEnv } from '../../open-env.js';
import { cacheOption, jsonOption, originOption, registryOption, wholeNumber } from '../../options.js';
import { formatNumber } from '../../output/format.js';

interface Flags extends EnvFlags {
  fromHeld?: boolean;
  names?: string;
  rows: number;
  out?: string;
  json?: boolean;
}

export function pivotsMakeCommand(io: Io): Command {
  return new Command('make')
    .description('Make a pivot set from the names that are held, or from a sorted list of names')
    .addOption(new Option('--from-held', 'from what is listed in the cache (the default)'))
    .addOption(
      new Option('--names <file>', 'from this file: one name a line, sorted by bytes (- for standard input)').conflicts(
        'fromHeld',
      ),
    )
    .addOption(new Option('--rows <n>', 'most names of a partition').argParser(wholeNumber).default(8_000))
    .addOption(new Option('--out <file>', 'write the set there (default: standard output)'))
    .addOption(originOption())
    .addOption(registryOption())
    .addOption(cacheOption())
    .addOption(jsonOption())
    .action(async (flags: Flags) => {
      const make = (names: SortedNames) => cutNames(names, flags.rows);
      const pivots = await (flags.names === undefined
        ? withEnv(flags, io, async (env) => make(await namesHeld(env)))
        : make(namesInFile(flags.names)));
      await put(pivots, flags, io);
    });
}

async function put(pivots: readonly string[], { out, json }: Flags, io: Io): Promise<void> {
  const counts = { pivots: pivots.length, partitions: pivots.length + 1 };
  const text = `${JSON.stringify(pivots, undefined, 2)}\n`;
  if (out !== undefined) await write(out, text);
  if (json)
    io.out(`${JSON.stringify({ type: 'done', ...counts, ...(out === undefined ? { set: pivots } : { out }) })}\n`);
  else if (out === undefined) io.out(text);
  else io.out(`${formatNumber(counts.pivots)} pivots, ${formatNumber(counts.partitions)} partitions, in ${out}\n`);
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (cause) {
    throw new CliError(
      'ERR_NO_FILE',
      `cannot write ${file}: ${(cause as Error).message}; check its path`,
      EXIT.failure,
      { cause },
    );
  }
}
