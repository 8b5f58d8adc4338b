import { assertHasBlobs, type ImportResult, importReplica, ReplicaSource } from '@_all_docs/worker-node';
import { realpathSync } from 'node:fs';
import { Command, Option } from 'commander';
import { CliError, EXIT } from '../../exit.js';
import type { Io } from '../../io.js';
import { type EnvFlags, replicaDirectory, withEnv } from '../../open-env.js';
import { blobsOption, cacheOption, jsonOption, storageOptions } from '../../options.js';
import { formatBytes, formatNumber } from '../../output/format.js';
import { createWorkReporter } from '../../output/work-reporter.js';

interface Flags extends EnvFlags {
  storage?: string;
  fromStorage?: string;
  json?: boolean;
}

export function cacheImportCommand(io: Io): Command {
  const command = new Command('import')
    .description(
      'Copy all documents, tarballs and runs of another replica, to stay. Interrupted, the same command goes on.',
    )
    .argument('<dir>', 'the other replica, of either kind of store; it is only read')
    .addOption(cacheOption())
    .addOption(blobsOption())
    .addOption(new Option('--from-storage <dir>', "directory of the other replica's blobs (default: its own)"));
  for (const option of [...storageOptions(), jsonOption()]) command.addOption(option);
  return command.action(async (dir: string, { json = false, storage: blobsIn, fromStorage, ...flags }: Flags) => {
    const path = replicaDirectory({ cache: flags.cache, storage: blobsIn }, io);
    assertOther(dir, path);
    // Before anything is made at the target.
    const source = new ReplicaSource(dir);
    try {
      if (source.references > 0) assertHasBlobs(fromStorage ?? dir, '--from-storage');
      await withEnv({ ...flags, cache: path }, io, async ({ storage, clock }) => {
        if (!json) io.err(`Importing ${formatNumber(source.size)} entries (${source.kind})\n`);
        const result = await importReplica(source, storage, {
          fromStorage,
          storage: blobsIn,
          durability: flags.durability,
          clock,
          signal: io.signal,
          report: createWorkReporter('Importing', json, io),
        });
        io.out(json ? `${JSON.stringify({ type: 'done', ...result })}\n` : describe(result));
        if (result.damaged + result.tarballs.damaged > 0) process.exitCode = EXIT.integrity;
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

function describe({ copied, held, newer, damaged, bytes, tarballs, runs, rows }: ImportResult): string {
  const parts = [`${formatNumber(copied)} entries copied (${formatBytes(bytes)})`];
  if (tarballs.copied > 0)
    parts.push(
      `${formatNumber(tarballs.copied)} tarballs copied (${formatBytes(tarballs.bytes)}, ${formatNumber(tarballs.linked)} blobs as links)`,
    );
  const [there, later, bad] = [held + tarballs.held, newer + tarballs.newer, damaged + tarballs.damaged];
  if (there > 0) parts.push(`${formatNumber(there)} there already`);
  if (later > 0) parts.push(`${formatNumber(later)} newer here`);
  parts.push(`${formatNumber(runs)} runs, ${formatNumber(rows)} rows`);
  if (bad > 0) parts.push(`${formatNumber(bad)} damaged and left out, so no run was copied; bootstrap fetches them`);
  return `${parts.join('; ')}\n`;
}
