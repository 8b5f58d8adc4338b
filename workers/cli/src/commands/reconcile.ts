import type { PackumentForm } from '@_all_docs/packument';
import { type ReconcileRun, reconcileNow } from '@_all_docs/worker';
import { Command } from 'commander';
import { EXIT, Interruption } from '../exit.js';
import type { Io } from '../io.js';
import { assertOrigin, type EnvFlags, withEnv } from '../open-env.js';
import { formOption, jsonOption, networkOptions } from '../options.js';
import { formatNumber } from '../output/format.js';

interface Flags extends EnvFlags {
  form: PackumentForm;
  json?: boolean;
}

export function reconcileCommand(io: Io): Command {
  const command = new Command('reconcile').description(
    'Compare with the list of names and revisions, find what no feed told, and fetch only what differs',
  );
  for (const option of [...networkOptions(), formOption(), jsonOption()]) command.addOption(option);
  return command.action(async ({ form, json = false, ...flags }: Flags) => {
    process.exitCode = await withEnv(flags, io, async (env) => {
      assertOrigin(env);
      const run = await reconcileNow({ form, concurrency: flags.concurrency, signal: io.signal }, env);
      const exitCode = exitCodeFor(run, io.signal);
      io.out(json ? `${JSON.stringify({ type: 'done', exitCode, ...run })}\n` : describe(run));
      return exitCode;
    });
  });
}

function exitCodeFor({ reconciled, fetched }: ReconcileRun, { reason }: AbortSignal): number {
  const { status } = reconciled;
  if (status === 'interrupted') return reason instanceof Interruption ? reason.exitCode : EXIT.failure;
  if (status === 'throttled') return EXIT.stopped;
  return status === 'incomplete' || fetched.failed + fetched.lagging > 0 ? EXIT.incomplete : EXIT.done;
}

function describe({ reconciled, fetched }: ReconcileRun): string {
  const { status, names, changed, missing, added, requests } = reconciled;
  const lines = [
    `${status === 'done' ? 'Compared' : `Listing ended as ${status}`}: ${formatNumber(names)} names in ${formatNumber(requests)} requests.`,
    `  ${formatNumber(changed)} changed, ${formatNumber(missing)} no longer listed, ${formatNumber(added)} new`,
    `  ${formatNumber(fetched.settled)} fetched, ${formatNumber(fetched.gone)} removed, ${formatNumber(fetched.lagging + fetched.absent + fetched.failed)} to be asked again`,
  ];
  return `${lines.join('\n')}\n`;
}
