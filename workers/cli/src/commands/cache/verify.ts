import {
  assertHasBlobs,
  blobsAt,
  createReplicaMender,
  openBlobs,
  ReplicaSource,
  type VerifyResult,
  verifyReplica,
} from '@_all_docs/worker-node';
import { Command, Option } from 'commander';
import { EXIT } from '../../exit.js';
import type { Io } from '../../io.js';
import { type EnvFlags, replicaDirectory, withEnv } from '../../open-env.js';
import { blobsOption, cacheOption, jsonOption } from '../../options.js';
import { formatBytes, formatNumber } from '../../output/format.js';
import { createWorkReporter } from '../../output/work-reporter.js';

interface Flags extends EnvFlags {
  storage?: string;
  fix?: boolean;
  json?: boolean;
}

export function cacheVerifyCommand(io: Io): Command {
  return new Command('verify')
    .description(
      'Read everything back: documents by digest, tarballs by hash, rows by what they refer to; exits 5 when something is damaged or missing',
    )
    .addOption(new Option('--fix', 'remove what is damaged, so that it is fetched again'))
    .addOption(cacheOption())
    .addOption(blobsOption())
    .addOption(jsonOption())
    .action(async ({ fix = false, json = false, ...flags }: Flags) => {
      const result = await (fix ? mend(flags, json, io) : look(flags, json, io));
      io.out(json ? `${JSON.stringify({ type: 'done', ...result })}\n` : describe(result, fix));
      if (result.damaged + result.missing > 0) process.exitCode = EXIT.integrity;
    });
}

/** Without opening it as a replica that is worked in: nothing is changed, not even by a look. */
async function look({ storage, ...flags }: Flags, json: boolean, io: Io): Promise<VerifyResult> {
  const path = replicaDirectory({ cache: flags.cache, storage }, io);
  const source = new ReplicaSource(path);
  try {
    const report = createWorkReporter('Verifying', json, io);
    return await verifyReplica(source, blobsAt(storage ?? path), { signal: io.signal, report });
  } finally {
    source.close();
  }
}

function mend({ storage: blobsIn, ...flags }: Flags, json: boolean, io: Io): Promise<VerifyResult> {
  const path = replicaDirectory({ cache: flags.cache, storage: blobsIn }, io);
  // Before anything is made there.
  const seen = new ReplicaSource(path);
  const { references } = seen;
  seen.close();
  // Else all rows would go for a flag that was forgotten.
  if (references > 0) assertHasBlobs(blobsIn ?? path, '--storage');
  return withEnv({ ...flags, cache: path }, io, async ({ storage, clock }) => {
    const blobs = await openBlobs(path, { storage: blobsIn });
    const source = new ReplicaSource(path, { inUse: true });
    try {
      const mender = createReplicaMender(storage, blobs.store, clock);
      const report = createWorkReporter('Verifying', json, io);
      return await verifyReplica(source, blobs, { mender, signal: io.signal, report });
    } finally {
      source.close();
      blobs.close();
    }
  });
}

function describe({ entries, bytes, blobs, blobBytes, rows, orphans, ...found }: VerifyResult, fix: boolean): string {
  const { damaged, missing, removed } = found;
  const parts = [
    `${formatNumber(entries)} entries (${formatBytes(bytes)}), ${formatNumber(blobs)} blobs (${formatBytes(blobBytes)}) and ${formatNumber(rows)} references read`,
  ];
  if (orphans > 0) parts.push(`${formatNumber(orphans)} blobs that nothing refers to, swept later`);
  parts.push(`${formatNumber(damaged)} damaged, ${formatNumber(missing)} missing`);
  if (fix)
    parts.push(`${formatNumber(removed)} removed${removed > 0 ? '; fetch them again with the same bootstrap' : ''}`);
  else if (damaged + missing > 0) parts.push('remove them with --fix');
  return `${parts.join('; ')}\n`;
}
