import { type Balance, measureBalance, PAGE_LIMIT, Partition } from '@_all_docs/partition';
import { Command, Option } from 'commander';
import { readDefaultPivots } from '../../default-pivots.js';
import { CliError } from '../../exit.js';
import type { Io } from '../../io.js';
import { namesHeld, namesInFile } from '../../names-source.js';
import { type EnvFlags, withEnv } from '../../open-env.js';
import { cacheOption, jsonOption, originOption, registryOption } from '../../options.js';
import { formatNumber } from '../../output/format.js';
import { readPivots } from '../../selection/pivot-file.js';

interface Flags extends EnvFlags {
  names?: string;
  json?: boolean;
}

export function pivotsCheckCommand(io: Io): Command {
  return new Command('check')
    .description('Check a pivot set, and how evenly it cuts the names that are held or those of a list')
    .argument(
      '[file]',
      'JSON, or a module (default: the set that first passes over the public npm registry begin with)',
    )
    .addOption(
      new Option('--names <file>', 'weigh it by these names: one a line, sorted by bytes (- for standard input)'),
    )
    .addOption(originOption())
    .addOption(registryOption())
    .addOption(cacheOption())
    .addOption(jsonOption())
    .action(async (file: string | undefined, flags: Flags) => {
      const pivots = file === undefined ? await readDefaultPivots() : await readPivots(file);
      const partitions = Partition.fromPivots(pivots).length;
      const balance = await weigh(pivots, flags, io);
      io.out(
        flags.json
          ? `${JSON.stringify({ type: 'done', pivots: pivots.length, partitions, ...balance, counts: undefined })}\n`
          : describe(pivots.length, partitions, balance),
      );
    });
}

/** `undefined` where there are no names to weigh by. */
async function weigh(pivots: readonly string[], flags: Flags, io: Io): Promise<Balance | undefined> {
  if (flags.names !== undefined) return measureBalance(namesInFile(flags.names), pivots);
  return withEnv(flags, io, async (env) => {
    try {
      return await measureBalance(await namesHeld(env), pivots);
    } catch (error) {
      if (error instanceof CliError && error.code === 'ERR_NOT_LISTED') return undefined;
      throw error;
    }
  });
}

function describe(pivots: number, partitions: number, balance: Balance | undefined): string {
  const lines = [`${formatNumber(pivots)} pivots in order, ${formatNumber(partitions)} partitions`];
  if (!balance) return `${lines}; no names are held to weigh them by: list some, or give --names\n`;
  const { names, empty, min, median, max, ratio, overflowing } = balance;
  lines.push(
    `names       ${formatNumber(names)}`,
    `rows        min ${formatNumber(min)}, median ${formatNumber(median)}, max ${formatNumber(max)}${ratio === undefined ? '' : ` (${ratio} times the median)`}`,
    `empty       ${formatNumber(empty)}`,
    `overflowing ${formatNumber(overflowing)} (a page of ${formatNumber(PAGE_LIMIT)} rows or more: they will be split)`,
  );
  return `${lines.join('\n')}\n`;
}
