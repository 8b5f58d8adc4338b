import { createPartitionKey } from '@_all_docs/cache';
import { cutNames, heldRanges, PartitionClient, shortestSeparator } from '@_all_docs/partition';
import { pivotsFor, teachPivots } from '@_all_docs/worker';
import type { NodeEnv } from '@_all_docs/worker-node';
import { Command, Option } from 'commander';
import { defaultPivots } from '../../default-pivots.js';
import { CliError, EXIT } from '../../exit.js';
import type { Io } from '../../io.js';
import { namesHeld } from '../../names-source.js';
import { assertOrigin, type EnvFlags, withEnv } from '../../open-env.js';
import { cacheOption, jsonOption, originOption, registryOption, wholeNumber } from '../../options.js';
import { formatNumber } from '../../output/format.js';

interface Wish {
  /** Starts or keys of held partitions. */
  halve: readonly string[];
  at: readonly string[];
  maxRows: number | undefined;
}

interface Flags extends EnvFlags, Partial<Pick<Wish, 'at' | 'maxRows'>> {
  json?: boolean;
}

export function partitionSplitCommand(io: Io): Command {
  return new Command('split')
    .description('Add boundaries to those that the next pass over all names is cut at')
    .argument('[start...]', 'halve these held partitions, given by their start or their key')
    .addOption(
      new Option('--at <key>', 'cut at this name, or beginning of names; may be given more than once').argParser(
        (key: string, keys: string[] = []) => [...keys, key],
      ),
    )
    .addOption(
      new Option('--max-rows <n>', 'cut what is held so that no partition has more rows').argParser(wholeNumber),
    )
    .addOption(originOption())
    .addOption(registryOption())
    .addOption(cacheOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nThey stay, pass after pass, unless the two parts together have less than half a page of rows.',
    )
    .action(async (halve: string[], { at = [], maxRows, ...flags }: Flags) => {
      if (halve.length === 0 && at.length === 0 && maxRows === undefined)
        throw new CliError('ERR_USAGE', 'say where to split: --at KEY, --max-rows N, or the start of a held partition');
      await withEnv(flags, io, async (env) => {
        assertOrigin(env);
        const { before, after } = await split({ halve, at, maxRows }, env);
        const counts = { partitions: after.length + 1, added: after.length - before.length };
        io.out(
          flags.json
            ? `${JSON.stringify({ type: 'done', ...counts })}\n`
            : `${formatNumber(counts.partitions)} partitions, ${formatNumber(counts.added)} more than before\n`,
        );
      });
    });
}

async function split(
  { halve, at, maxRows }: Wish,
  env: NodeEnv,
): Promise<{ before: readonly string[]; after: string[] }> {
  const store = env.storage.ordered;
  const first = await defaultPivots(env.origin);
  const before = await pivotsFor(store, env.origin, { firstPivots: first });
  const added = [...at, ...(await middles(halve, env))];
  // Everything is looked at before anything is changed.
  const names = maxRows === undefined ? undefined : await namesHeld(env);
  const teach = (pivots: readonly string[]) => teachPivots(store, env.origin, pivots, { now: env.clock.now(), first });
  let after = await teach(added);
  if (names && maxRows !== undefined) after = await teach(await cutNames(names, maxRows, after));
  return { before, after };
}

/** Boundaries in the middle of held partitions. */
async function middles(wanted: readonly string[], env: NodeEnv): Promise<string[]> {
  if (wanted.length === 0) return [];
  const ranges = await heldRanges(env);
  const client = new PartitionClient({ env });
  return Promise.all(
    wanted.map(async (start) => {
      const range = ranges.find(
        ({ startKey, endKey }) =>
          (startKey ?? '') === start || createPartitionKey(startKey, endKey, env.origin) === start,
      );
      const rows = range && (await client.held(range));
      const middle = (rows?.length ?? 0) >>> 1;
      const [before, from] = [rows?.[middle - 1], rows?.[middle]];
      if (before && from) return shortestSeparator(before.id, from.id);
      throw new CliError(
        'ERR_NOT_HELD',
        `no partition of two rows or more begins at ${JSON.stringify(start)}; see: _all_docs partition ls`,
        EXIT.failure,
      );
    }),
  );
}
