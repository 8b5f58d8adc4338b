import type { Check } from '@_all_docs/packument';
import { type BootstrapResult, bootstrap, versionList } from '@_all_docs/worker';
import type { NodeEnv } from '@_all_docs/worker-node';
import { Command, Option } from 'commander';
import { EXIT } from '../exit.js';
import type { Io } from '../io.js';
import { type EnvFlags, withEnv } from '../open-env.js';
import { checkOption, jsonOption, networkOptions } from '../options.js';
import { formatNumber } from '../output/format.js';
import { createReporter } from '../output/reporter.js';
import { readText } from '../selection/choose.js';
import type { Sorted } from '../selection/lockfile/hosts.js';
import type { LockedPackages } from '../selection/lockfile/index.js';
import { exitCodeFor } from './bootstrap.js';

interface Flags extends EnvFlags {
  lockfile: string;
  mirrorHost?: string[];
  check: Check;
  json?: boolean;
}

/** Most refused tarballs that are shown as lines; NDJSON has all of them. */
const SHOWN = 20;

export function fetchCommand(io: Io): Command {
  const command = new Command('fetch')
    .description(
      'Fetch exactly what a lockfile needs, for all platforms: then it installs from serve --offline. Interrupted, the same command goes on.',
    )
    .addOption(
      new Option(
        '--lockfile <file>',
        'lockfile of npm, pnpm, yarn or bun (- for standard input)',
      ).makeOptionMandatory(),
    )
    .addOption(
      new Option(
        '--mirror-host <host...>',
        'hosts in the lockfile that mirror the registry: their packages are fetched from the registry',
      ),
    );
  for (const option of [...networkOptions(), checkOption(), jsonOption()]) command.addOption(option);
  return command.action(async (flags: Flags) => {
    process.exitCode = await runFetch(flags, io);
  });
}

async function runFetch(flags: Flags, io: Io): Promise<number> {
  // Loaded only here, with the YAML parser that they need.
  const { lockedPackages } = await import('../selection/lockfile/index.js');
  const { sortByHost } = await import('../selection/lockfile/hosts.js');
  const locked = lockedPackages(await readText(flags.lockfile), flags.lockfile);
  return withEnv(flags, io, async (env) => {
    const sorted = sortByHost(locked, env.registry, flags.mirrorHost);
    tell(locked, sorted, flags, io);
    const refused = sorted.refused.length > 0 ? EXIT.incomplete : EXIT.done;
    if (sorted.packages.length === 0) return refused;
    const exitCode = await work(sorted, flags, env, io);
    return exitCode === EXIT.done ? refused : exitCode;
  });
}

async function work({ packages }: Sorted, flags: Flags, env: NodeEnv, io: Io): Promise<number> {
  const { check, json = false, concurrency = 10 } = flags;
  const selection = versionList(packages);
  const depth = 'tarballs';
  const reporter = await createReporter(io, { json, selection, depth });
  let result: BootstrapResult;
  try {
    // What serves documents needs the full ones.
    const options = { selection, depth, form: 'full', check, concurrency, signal: io.signal } as const;
    result = await bootstrap(options, env, (event) => reporter.event(event));
  } catch (error) {
    await reporter.abandon();
    throw error;
  }
  const isWrong = result.status === 'incomplete' && (result.tarballs?.mismatched ?? 0) > 0;
  const exitCode = isWrong ? EXIT.integrity : exitCodeFor(result, io.signal);
  await reporter.end(result, exitCode);
  return exitCode;
}

/** What the lockfile holds, and what of it is not fetched. */
function tell({ skipped }: LockedPackages, { packages, refused }: Sorted, { json }: Flags, io: Io): void {
  if (json) {
    io.out(`${JSON.stringify({ type: 'lockfile', packages: packages.length, skipped, refused })}\n`);
    return;
  }
  const passed = Object.entries(skipped)
    .filter(([, count]) => count > 0)
    .map(([source, count]) => `${formatNumber(count)} ${SOURCES[source as keyof typeof SOURCES]}`);
  const also = passed.length > 0 ? `; skipped: ${passed.join(', ')}` : '';
  io.err(`${formatNumber(packages.length)} packages in the lockfile${also}\n`);
  if (refused.length === 0) return;
  io.err(
    `refused ${formatNumber(refused.length)} tarballs at hosts that are not the registry's (allow a mirror of it with --mirror-host):\n`,
  );
  for (const { name, version, url } of refused.slice(0, SHOWN))
    io.err(`  ${name}${version === undefined ? '' : `@${version}`}: ${url}\n`);
  if (refused.length > SHOWN) io.err(`  and ${formatNumber(refused.length - SHOWN)} more; all of them with --json\n`);
}

const SOURCES: Record<keyof LockedPackages['skipped'], string> = {
  bundled: "inside of others' tarballs",
  git: 'from repositories',
  file: 'from files',
  link: 'links and workspaces',
};
