import type { Check, PackumentForm } from '@_all_docs/packument';
import {
  type BootstrapPlan,
  type BootstrapResult,
  bootstrap,
  type Depth,
  planBootstrap,
  type Selection,
} from '@_all_docs/worker';
import type { NodeEnv } from '@_all_docs/worker-node';
import { Command, Option } from 'commander';
import { defaultPivots } from '../default-pivots.js';
import { EXIT, Interruption } from '../exit.js';
import type { Io } from '../io.js';
import { assertOrigin, type EnvFlags, withEnv } from '../open-env.js';
import { checkOption, formOption, jsonOption, networkOptions } from '../options.js';
import { formatBytes, formatNumber, formatSeconds } from '../output/format.js';
import { createReporter } from '../output/reporter.js';
import { chooseSelection, type SelectionFlags } from '../selection/choose.js';

interface Flags extends EnvFlags, SelectionFlags {
  depth: Depth;
  form: PackumentForm;
  check: Check;
  plan?: boolean;
  json?: boolean;
}

/** Flags that choose packages by a range of names. */
export const rangeOptions = (): Option[] => [
  new Option('--pivots <file>', 'cut the names at the pivots of this file (JSON, or a module)'),
  new Option('--start <key>', 'first name, inclusive'),
  new Option('--end <key>', 'end of the names, exclusive'),
];

export function bootstrapCommand(io: Io): Command {
  const command = new Command('bootstrap')
    .description('Make or renew a replica: list, fetch, prove. Interrupted, the same command goes on.')
    .addOption(new Option('--lockfile <file>', 'only the packages of this lockfile (npm, pnpm, yarn, bun)'))
    .addOption(new Option('--names <file>', 'only the names in this file, one a line (- for standard input)'))
    .addOption(new Option('--scope <scope>', 'only the packages of this scope'));
  for (const option of [...rangeOptions(), ...networkOptions()]) command.addOption(option);
  return command
    .addOption(
      new Option('--depth <depth>', 'how much of each package')
        .choices(['names', 'packuments', 'tarballs'])
        .default('packuments'),
    )
    .addOption(formOption())
    .addOption(checkOption())
    .addOption(new Option('--plan', 'print requests, bytes, hours, disk and budget, and do nothing'))
    .addOption(jsonOption())
    .action(async (flags: Flags) => {
      process.exitCode = await runBootstrap(flags, io);
    });
}

/** Runs a bootstrap as the flags say; gives the exit code. */
export async function runBootstrap(flags: Flags, io: Io): Promise<number> {
  const selection = await chooseSelection(flags);
  return withEnv(flags, io, async (env) => {
    if (selection.kind === 'range') {
      assertOrigin(env);
      selection.firstPivots = await defaultPivots(env.origin);
    }
    return flags.plan ? printPlan(flags, selection, env, io) : work(flags, selection, env, io);
  });
}

async function work(
  { depth, form, check, json = false, concurrency = 10 }: Flags,
  selection: Selection,
  env: NodeEnv,
  io: Io,
): Promise<number> {
  const reporter = await createReporter(io, { json, selection, depth });
  let result: BootstrapResult;
  try {
    result = await bootstrap({ selection, depth, form, check, concurrency, signal: io.signal }, env, (event) =>
      reporter.event(event),
    );
  } catch (error) {
    await reporter.abandon();
    throw error;
  }
  const exitCode = exitCodeFor(result, io.signal);
  await reporter.end(result, exitCode);
  return exitCode;
}

/** The exit code that says how a bootstrap ended. */
export function exitCodeFor({ status }: BootstrapResult, { reason }: AbortSignal): number {
  if (status === 'done') return EXIT.done;
  if (status === 'interrupted') return reason instanceof Interruption ? reason.exitCode : EXIT.failure;
  return status === 'throttled' ? EXIT.stopped : EXIT.incomplete;
}

async function printPlan(
  { depth, form, rate, json }: Flags,
  selection: Selection,
  env: NodeEnv,
  io: Io,
): Promise<number> {
  const budget = env.budget && { limit: env.budget.limit, used: await env.budget.used() };
  const store = env.storage.kind;
  const pace = rate === undefined ? {} : { rate };
  const plan = await planBootstrap({ selection, depth, form, store, ...pace, budget }, env);
  io.out(
    json
      ? `${JSON.stringify({ type: 'plan', ...plan, rate: Number.isFinite(plan.rate) ? plan.rate : null })}\n`
      : describePlan(plan),
  );
  return EXIT.done;
}

function describePlan(plan: BootstrapPlan): string {
  const { packages, requests, bytes, stores, hours, bytesPerPackument, bytesPerPackumentFrom, rate, budget } = plan;
  if (packages === undefined || !requests || bytes === undefined || !stores || hours === undefined) {
    return 'The origin gives no way to count this range before it is listed; list it first with --depth names.\n';
  }
  const limit =
    budget.limit === undefined ? 'no limit' : `${formatNumber(budget.limit)}, ${formatNumber(budget.used)} used`;
  const months = budget.months === undefined || budget.months <= 1 ? '' : `: it takes ${budget.months} months`;
  return [
    `packages   ${formatNumber(packages)}`,
    `requests   ${formatNumber(requests.total)} (${formatNumber(requests.list)} to list, ${formatNumber(requests.packuments)} packuments)`,
    ...describeTarballs(plan),
    `bytes      about ${formatBytes(bytes)} compressed (${formatNumber(bytesPerPackument)} a packument, from ${bytesPerPackumentFrom})`,
    ...describeStores(plan, stores),
    `time       ${rate === Number.POSITIVE_INFINITY ? 'as fast as the origin answers' : `${formatSeconds(hours * 3600)} at ${rate} requests a second`}`,
    `budget     ${limit} this month${months}`,
    '',
  ].join('\n');
}

function describeTarballs({ tarballs }: BootstrapPlan): string[] {
  if (!tarballs) return [];
  const { count, from } = tarballs;
  const said =
    count === undefined
      ? 'one request for each, not counted here: how many is not known before the packuments are held'
      : `${from === 'the mean of held documents' ? 'about ' : ''}${formatNumber(count)}, a request each (from ${from})`;
  return [`tarballs   ${said}; their bytes come on top`];
}

function describeStores({ recommended }: BootstrapPlan, stores: NonNullable<BootstrapPlan['stores']>): string[] {
  const { cacache, sqlite } = stores;
  const each = [
    `cacache: about ${formatBytes(cacache.diskBytes)} in ${formatNumber(cacache.files)} files`,
    `sqlite: about ${formatBytes(sqlite.diskBytes)} in one file`,
  ];
  const lines = [`disk       ${each.join('; ')}`];
  if (recommended) lines.push(`store      better with --store ${recommended.store}: ${recommended.reason}`);
  return lines;
}
