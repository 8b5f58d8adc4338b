import { prefixRange } from '@_all_docs/cache';
import { OWNER_PREFIX } from '@_all_docs/worker';
import { type ClearedReplica, clearReplica, openBlobs, ReplicaSource } from '@_all_docs/worker-node';
import { createInterface } from 'node:readline/promises';
import { Command, Option } from 'commander';
import { CliError, EXIT } from '../../exit.js';
import type { Io } from '../../io.js';
import { type EnvFlags, replicaDirectory, withEnv } from '../../open-env.js';
import { blobsOption, cacheOption, jsonOption } from '../../options.js';
import { formatBytes, formatNumber } from '../../output/format.js';

interface Flags extends EnvFlags {
  storage?: string;
  pulled?: boolean;
  all?: boolean;
  yes?: boolean;
  json?: boolean;
}

export function cacheClearCommand(io: Io): Command {
  return new Command('clear')
    .description('Remove what was fetched for clients and may be evicted, or everything, and give the room back')
    .addOption(
      new Option('--pulled', 'what serve fetched for clients, and what was derived (the default)').conflicts('all'),
    )
    .addOption(new Option('--all', 'also what was bootstrapped, and all that is known of runs'))
    .addOption(new Option('--yes', 'do not ask'))
    .addOption(cacheOption())
    .addOption(blobsOption())
    .addOption(jsonOption())
    .action(async ({ all = false, pulled: _, yes, json, storage: blobsIn, ...flags }: Flags) => {
      const path = replicaDirectory({ cache: flags.cache, storage: blobsIn }, io);
      // Refuses what is no replica, before anything is made there.
      new ReplicaSource(path).close();
      if (!yes) await confirm(all, path, io);
      await withEnv({ ...flags, cache: path }, io, async ({ storage, clock }) => {
        if (all)
          for await (const _ of storage.ordered.list({ ...prefixRange(OWNER_PREFIX), limit: 1 })) throw busy(path);
        const blobs = await openBlobs(path, { storage: blobsIn });
        try {
          const cleared = await clearReplica(storage, blobs, { all, clock, signal: io.signal });
          io.out(json ? `${JSON.stringify({ type: 'done', ...cleared })}\n` : describe(cleared));
        } finally {
          blobs.close();
        }
      });
    });
}

/** Only a person at a terminal can be asked; a script has to say it. */
async function confirm(all: boolean, path: string, io: Io): Promise<void> {
  const what = all
    ? `everything in ${path}, which a bootstrap would have to fetch again`
    : `what was fetched for clients in ${path}`;
  if (!io.terminal || !process.stdin.isTTY) {
    throw new CliError('ERR_NOT_CONFIRMED', `this removes ${what}; say so with --yes`);
  }
  const questions = createInterface({ input: process.stdin, output: io.terminal });
  try {
    const answer = await questions.question(`Remove ${what}? [y/N] `, { signal: io.signal });
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliError('ERR_NOT_CONFIRMED', 'nothing was removed', EXIT.failure);
  } finally {
    questions.close();
  }
}

function busy(path: string): CliError {
  return new CliError('ERR_CACHE_BUSY', `a bootstrap works in ${path}; stop it first`, EXIT.failure);
}

function describe({
  documents,
  tarballs,
  derived,
  resources,
  entries,
  rows,
  blobs,
  blobBytes,
}: ClearedReplica): string {
  const counts: [number, string][] = [
    [documents, 'documents fetched for clients'],
    [tarballs, 'tarballs'],
    [derived, 'derived documents'],
    [resources, 'keys and attestations'],
    [entries, 'bootstrapped entries'],
    [rows, 'rows of runs'],
  ];
  const said = counts.filter(([count]) => count > 0).map(([count, what]) => `${formatNumber(count)} ${what}`);
  if (blobs > 0) said.push(`${formatNumber(blobs)} blobs (${formatBytes(blobBytes)})`);
  return `removed: ${said.length > 0 ? said.join(', ') : 'nothing'}\n`;
}
