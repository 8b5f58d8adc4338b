import { measureReplica, type ReplicaSize } from '@_all_docs/worker-node';
import { Command } from 'commander';
import type { Io } from '../../io.js';
import { type EnvFlags, replicaDirectory, withEnv } from '../../open-env.js';
import { blobsOption, cacheOption, jsonOption } from '../../options.js';
import { formatBytes, formatNumber } from '../../output/format.js';

interface Flags extends EnvFlags {
  storage?: string;
  json?: boolean;
}

export function cacheSizeCommand(io: Io): Command {
  return new Command('size')
    .description('Entries, documents, tarballs and bytes held, and what the directory takes on its disk')
    .addOption(cacheOption())
    .addOption(blobsOption())
    .addOption(jsonOption())
    .action(({ storage: blobsIn, json, ...flags }: Flags) => {
      const path = replicaDirectory({ cache: flags.cache, storage: blobsIn }, io);
      return withEnv({ ...flags, cache: path }, io, async ({ storage }) => {
        const { cachePath: cache, kind: store } = storage;
        const size = await measureReplica(storage, { blobsIn, signal: io.signal });
        io.out(json ? `${JSON.stringify({ type: 'size', cache, store, ...size })}\n` : describe(size, store));
      });
    });
}

function describe(size: ReplicaSize, store: string): string {
  const { entries, bytes, documents, derived, tarballs, indexBytes, diskBytes, files } = size;
  const lines = [
    ['entries', formatNumber(entries)],
    ['bytes', formatBytes(bytes)],
    ['documents', `${formatNumber(documents.entries)}, ${formatBytes(documents.bytes)}`],
    ['derived', `${formatNumber(derived.entries)}, ${formatBytes(derived.bytes)}`],
    ['tarballs', `${formatNumber(tarballs.rows)}, ${formatNumber(tarballs.pinned)} of them never evicted`],
    [
      'blobs',
      `${formatNumber(tarballs.blobs)}, ${formatBytes(tarballs.bytes)}, ${formatBytes(tarballs.diskBytes)} on disk`,
    ],
    ['index', `${formatBytes(indexBytes)}${store === 'sqlite' ? ', the bodies with it' : ''}`],
    ['disk', `${formatBytes(diskBytes)} in ${formatNumber(files)} files (${store})`],
  ] as const;
  return lines.map(([what, said]) => `${what.padEnd(10)} ${said}\n`).join('');
}
