import { Cache } from '@_all_docs/cache';
import { PartitionClient } from '@_all_docs/partition';
import { listRuns, proveRun } from '@_all_docs/worker';
import { Command } from 'commander';
import { CliError, EXIT } from '../../exit.js';
import type { Io } from '../../io.js';
import { type EnvFlags, withEnv } from '../../open-env.js';
import { cacheOption, jsonOption, originOption, registryOption } from '../../options.js';
import { describeCoverage } from '../../output/words.js';

export function partitionVerifyCommand(io: Io): Command {
  return new Command('verify')
    .description('Prove that the latest listing lost nothing; exits 3 when the proof does not hold')
    .addOption(originOption())
    .addOption(registryOption())
    .addOption(cacheOption())
    .addOption(jsonOption())
    .action((flags: EnvFlags & { json?: boolean }) =>
      withEnv(flags, io, async (env) => {
        const runs = await listRuns(env.ordered ?? env.storage.ordered);
        const run = runs.find(({ origin, selection }) => origin === env.origin && selection.kind === 'range');
        if (run?.selection.kind !== 'range') {
          throw new CliError(
            'ERR_NOT_LISTED',
            `no listing of ${env.origin} is held; make one with: _all_docs partition fetch`,
            EXIT.failure,
          );
        }
        const report = await proveRun(
          new Cache({ driver: env.storage }),
          new PartitionClient({ env }),
          run,
          run.selection,
        );
        io.out(
          flags.json
            ? `${JSON.stringify({ type: 'coverage', ...report })}\n`
            : `${describeCoverage(report).join('\n')}\n`,
        );
        if (!report.holds) process.exitCode = EXIT.incomplete;
      }),
    );
}
