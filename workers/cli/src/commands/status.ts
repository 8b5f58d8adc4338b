import { Cache, createPackumentPrefix } from '@_all_docs/cache';
import {
  type FollowStatus,
  followStatus,
  listRuns,
  type Outcome,
  Outcomes,
  type Run,
  runProgress,
} from '@_all_docs/worker';
import type { NodeEnv } from '@_all_docs/worker-node';
import { Command } from 'commander';
import type { Io } from '../io.js';
import { type EnvFlags, withEnv } from '../open-env.js';
import { cacheOption, jsonOption, originOption, registryOption } from '../options.js';
import { formatNumber, formatSeconds } from '../output/format.js';

const SHOWN = 20;

export function statusCommand(io: Io): Command {
  return new Command('status')
    .description('What is held, how the last runs ended, what failed')
    .addOption(originOption())
    .addOption(registryOption())
    .addOption(cacheOption())
    .addOption(jsonOption())
    .action((flags: EnvFlags & { json?: boolean }) =>
      withEnv(flags, io, async (env) => {
        const status = await readStatus(env);
        io.out(flags.json ? `${JSON.stringify({ type: 'status', ...status })}\n` : describe(status));
      }),
    );
}

type RunStatus = Run & {
  state: 'done' | 'unfinished';
  percentListed: number;
  percentFetched: number;
  percentKept: number;
};

interface Status {
  cache: string;
  origin: string;
  registry: string;
  packuments: number;
  abbreviated: number;
  absent: number;
  failed: number;
  failures: Outcome[];
  budget: { limit: number; used: number } | undefined;
  runs: RunStatus[];
  /** `undefined` where no feed is known. */
  feed: FollowStatus | undefined;
}

async function readStatus(env: NodeEnv): Promise<Status> {
  const store = env.storage.ordered;
  const cache = new Cache({ driver: env.storage });
  const outcomes = { absent: 0, failed: 0, failures: [] as Outcome[] };
  for await (const outcome of new Outcomes(store, env.registry).list()) {
    outcomes[outcome.kind] += 1;
    if (outcome.kind === 'failed' && outcomes.failures.length < SHOWN) outcomes.failures.push(outcome);
  }
  const runs = await Promise.all(
    (await listRuns(store)).map(async (run) => {
      const { listed, fetched, kept } = await runProgress(cache, run);
      const state = run.finishedAt === undefined ? ('unfinished' as const) : ('done' as const);
      return {
        ...run,
        state,
        percentListed: listed.percentComplete,
        percentFetched: fetched.percentComplete,
        percentKept: kept.percentComplete,
      };
    }),
  );
  return {
    cache: env.storage.cachePath,
    origin: env.origin,
    registry: env.registry,
    packuments: await count(env.storage.list(createPackumentPrefix('packument', env.registry))),
    abbreviated: await count(env.storage.list(createPackumentPrefix('abbreviated', env.registry))),
    ...outcomes,
    budget: env.budget && { limit: env.budget.limit, used: await env.budget.used() },
    runs,
    feed: env.originKnown ? await followStatus(env) : undefined,
  };
}

async function count(keys: AsyncIterable<string>): Promise<number> {
  let total = 0;
  for await (const _ of keys) total += 1;
  return total;
}

function describe(status: Status): string {
  const { cache, registry, packuments, abbreviated, absent, failed, failures, budget, runs, feed } = status;
  const lines = [`cache      ${cache}`, `registry   ${registry}`];
  lines.push(
    `held       ${formatNumber(packuments)} packuments${abbreviated > 0 ? `, ${formatNumber(abbreviated)} abbreviated` : ''}`,
  );
  lines.push(`outcomes   ${formatNumber(failed)} failed, ${formatNumber(absent)} without a document in the registry`);
  if (budget)
    lines.push(`budget     ${formatNumber(budget.used)} of ${formatNumber(budget.limit)} requests this month`);
  if (feed?.cursor !== undefined) lines.push(...describeFeed(feed));
  for (const run of runs) lines.push(`run        ${describeRun(run)}`);
  for (const { name, code, message } of failures) lines.push(`failed     ${name}: ${code}: ${message}`);
  return `${lines.join('\n')}\n`;
}

function describeFeed({
  cursor,
  originSeq,
  lagSeconds,
  reconciledAt,
  stale,
  failing,
  gone,
  alarm,
}: FollowStatus): string[] {
  const ago = lagSeconds === undefined ? 'never read to its head' : `at its head ${formatSeconds(lagSeconds)} ago`;
  const lines = [
    `feed       at ${formatNumber(cursor ?? 0)} of ${originSeq === undefined ? '?' : formatNumber(originSeq)}, ${ago}`,
    `documents  ${formatNumber(stale)} changed and to be fetched (${formatNumber(failing)} failing), ${formatNumber(gone)} packages gone`,
  ];
  if (reconciledAt !== undefined) lines.push(`reconciled ${new Date(reconciledAt).toISOString()}`);
  if (alarm) lines.push(`alarm      ${alarm.kind}: ${alarm.message}`);
  return lines;
}

function describeRun(run: RunStatus): string {
  const { selection, depth, startedAt, state, percentListed, percentFetched, percentKept } = run;
  const what =
    selection.kind === 'names'
      ? `${formatNumber(selection.count)} names`
      : `[${selection.startKey ?? 'first'} to ${selection.endKey ?? 'last'})`;
  const listed = selection.kind === 'range' ? `, ${percentListed} % listed` : '';
  const fetched = depth === 'names' ? '' : `, ${percentFetched} % fetched`;
  const kept = depth === 'tarballs' ? `, ${percentKept} % of their tarballs kept` : '';
  return `${new Date(startedAt).toISOString()}  ${what}, depth ${depth}: ${state}${listed}${fetched}${kept}`;
}
