import type { PackumentForm } from '@_all_docs/packument';
import { type FollowEvent, type FollowResult, follow } from '@_all_docs/worker';
import { Command, Option } from 'commander';
import { EXIT, Interruption } from '../exit.js';
import type { Io } from '../io.js';
import { assertOrigin, type EnvFlags, withEnv } from '../open-env.js';
import { formOption, jsonOption, networkOptions } from '../options.js';
import { formatNumber } from '../output/format.js';
import { parseDuration, parseSeconds } from '../units.js';

export interface FollowFlags {
  interval?: number;
  window?: number;
  reconcile?: number;
}

interface Flags extends EnvFlags, FollowFlags {
  form: PackumentForm;
  once?: boolean;
  json?: boolean;
}

/** Flags of every command that follows a feed. */
export const followOptions = (): Option[] => [
  new Option('--interval <s>', 'between two looks at an idle feed: seconds, or a duration')
    .env('ALL_DOCS_INTERVAL')
    .argParser(parseSeconds)
    .default(5_000, '5s'),
  new Option('--window <duration>', 'how long a changed package waits for more changes before it is fetched')
    .env('ALL_DOCS_WINDOW')
    .argParser(parseDuration)
    .default(600_000, '10m'),
  new Option('--reconcile <duration>', 'between two comparisons with the list of names; 0s for none')
    .env('ALL_DOCS_RECONCILE')
    .argParser(parseDuration)
    .default(86_400_000, '24h'),
];

export function followCommand(io: Io): Command {
  const command = new Command('follow').description(
    'Keep a replica true: what changes is not served any more before it has been fetched again, what is removed is removed',
  );
  for (const option of [...networkOptions(), formOption(), ...followOptions()]) command.addOption(option);
  return command
    .addOption(new Option('--once', "end at the feed's head, when what changed has been fetched"))
    .addOption(jsonOption())
    .action(async (flags: Flags) => {
      process.exitCode = await runFollow(flags, io);
    });
}

async function runFollow(flags: Flags, io: Io): Promise<number> {
  const { form, once = false, json = false, interval, window, reconcile, concurrency } = flags;
  return withEnv(flags, io, async (env) => {
    assertOrigin(env);
    const options = { form, once, intervalMs: interval, windowMs: window, reconcileMs: reconcile, concurrency };
    const result = await follow({ ...options, signal: io.signal }, env, (event) => tell(event, json, io));
    const exitCode = exitCodeFor(result, io.signal);
    io.out(json ? `${JSON.stringify({ type: 'done', exitCode, ...result })}\n` : describe(result));
    return exitCode;
  });
}

function exitCodeFor({ status }: FollowResult, { reason }: AbortSignal): number {
  if (status === 'interrupted') return reason instanceof Interruption ? reason.exitCode : EXIT.failure;
  if (status === 'throttled') return EXIT.stopped;
  return status === 'incomplete' ? EXIT.incomplete : EXIT.done;
}

function tell(event: FollowEvent, json: boolean, io: Io): void {
  if (json) io.out(`${JSON.stringify(event)}\n`);
  else io.err(`${describeEvent(event)}\n`);
}

/** One line for people. */
function describeEvent(event: FollowEvent): string {
  switch (event.type) {
    case 'changes': {
      const { rows, marked, removed, seq, originSeq } = event;
      const lag = originSeq === undefined ? '' : ` of ${formatNumber(Math.max(seq, originSeq))}`;
      return `changes    ${formatNumber(rows)} rows, ${formatNumber(marked)} to fetch, ${formatNumber(removed)} removed; at ${formatNumber(seq)}${lag}`;
    }
    case 'fetched': {
      const { settled, gone, lagging, absent, failed } = event;
      const again = lagging + absent + failed;
      return `fetched    ${formatNumber(settled)} documents, ${formatNumber(gone)} gone${again > 0 ? `, ${formatNumber(again)} to be asked again` : ''}`;
    }
    case 'reconciled': {
      const { status, names, changed, missing, added } = event;
      return `reconciled ${status}: ${formatNumber(names)} names; ${formatNumber(changed)} changed, ${formatNumber(missing)} no longer listed, ${formatNumber(added)} new`;
    }
    case 'alarm':
      return `alarm      ${event.kind}: ${event.message}`;
    case 'error':
      return `error      ${event.name === undefined ? '' : `${event.name}: `}${event.code}: ${event.message}`;
  }
}

const ENDINGS: Record<FollowResult['status'], string> = {
  done: 'Up to date',
  incomplete:
    'Not all that changed could be fetched; what is left is not served, and asked for again by the same command',
  throttled: "Stopped by the origin's limit or the budget",
  interrupted: 'Interrupted; the same command goes on from here',
};

function describe({ status, seq, rows, removed, fetched, reason }: FollowResult): string {
  const counts = `${formatNumber(rows)} changes read, ${formatNumber(fetched.settled)} documents fetched, ${formatNumber(removed + fetched.gone)} removed`;
  return `${ENDINGS[status]}, at ${formatNumber(seq)}.\n  ${counts}\n${reason ? `  ${reason.code}: ${reason.message}\n` : ''}`;
}
