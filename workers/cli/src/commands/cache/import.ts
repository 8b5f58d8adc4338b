import {
  defaultCacheDirectory,
  type ImportEvent,
  type ImportResult,
  importReplica,
  ReplicaSource,
} from '@_all_docs/worker-node';
import { realpathSync } from 'node:fs';
import { Command } from 'commander';
import { CliError, EXIT } from '../../exit.js';
import type { Io } from '../../io.js';
import { type EnvFlags, withEnv } from '../../open-env.js';
import { cacheOption, jsonOption, storageOptions } from '../../options.js';
import { formatBytes, formatNumber } from '../../output/format.js';
import { describeProgress, type Progress } from '../../output/words.js';

const EVERY_MS = 2_000;

export function cacheImportCommand(io: Io): Command {
  const command = new Command('import')
    .description('Copy everything from the directory of another replica. Interrupted, the same command goes on.')
    .argument('<dir>', 'the other replica, of either kind of store; it is only read')
    .addOption(cacheOption());
  for (const option of [...storageOptions(), jsonOption()]) command.addOption(option);
  return command.action(async (dir: string, { json = false, ...flags }: EnvFlags & { json?: boolean }) => {
    assertOther(dir, flags.cache ?? defaultCacheDirectory(io.env));
    // Before anything is made at the target.
    const source = new ReplicaSource(dir);
    try {
      await withEnv(flags, io, async ({ storage }) => {
        const result = await importReplica(source, storage, { signal: io.signal, report: reporter(source, json, io) });
        io.out(json ? `${JSON.stringify({ type: 'done', ...result })}\n` : describe(result));
        if (result.damaged > 0) process.exitCode = EXIT.integrity;
      });
    } catch (error) {
      if (io.signal.aborted) io.err('interrupted; what is copied is kept, the same command goes on from here\n');
      throw error;
    } finally {
      source.close();
    }
  });
}

function assertOther(from: string, to: string): void {
  const real = (path: string) => {
    try {
      return realpathSync(path);
    } catch {
      // What is not there is no other path's place.
      return path;
    }
  };
  if (real(from) === real(to))
    throw new CliError('ERR_USAGE', `${from} is the replica itself; give the directory of another one`);
}

/** Progress on stderr every few seconds, as events on stdout where asked for; damage at once. */
function reporter(source: ReplicaSource, json: boolean, io: Io): (event: ImportEvent) => void {
  const began = Date.now();
  let printed = began;
  const say = (event: { type: string } & Record<string, unknown>, text: string) =>
    json ? io.out(`${JSON.stringify(event)}\n`) : io.err(`${text}\n`);
  if (!json) io.err(`Importing ${formatNumber(source.size)} entries (${source.kind})\n`);
  return (event) => {
    if (event.type === 'error') return say(event, `${event.code}: ${event.message}`);
    const now = Date.now();
    if (now - printed < EVERY_MS && event.done < event.total) return;
    printed = now;
    const progress = progressOf(event, now - began);
    say({ type: 'progress', ...progress }, `Importing: ${describeProgress(progress)}`);
  };
}

function progressOf({ done, total, errors }: { done: number; total: number; errors: number }, ms: number): Progress {
  const rate = ms > 0 ? (1000 * done) / ms : 0;
  const etaSeconds = rate > 0 ? Math.round((total - done) / rate) : undefined;
  return { done, total, rate: Math.round(rate * 10) / 10, etaSeconds, errors, throttled: 0, pausedSeconds: 0 };
}

function describe({ copied, held, newer, damaged, bytes, runs, rows }: ImportResult): string {
  const parts = [`${formatNumber(copied)} entries copied (${formatBytes(bytes)})`];
  if (held > 0) parts.push(`${formatNumber(held)} there already`);
  if (newer > 0) parts.push(`${formatNumber(newer)} newer here`);
  parts.push(`${formatNumber(runs)} runs, ${formatNumber(rows)} rows`);
  if (damaged > 0)
    parts.push(`${formatNumber(damaged)} damaged and left out, so no run was copied; bootstrap fetches them`);
  return `${parts.join('; ')}\n`;
}
