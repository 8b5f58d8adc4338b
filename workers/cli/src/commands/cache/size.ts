import { directorySize } from '@_all_docs/worker-node';
import { Command } from 'commander';
import type { Io } from '../../io.js';
import { type EnvFlags, withEnv } from '../../open-env.js';
import { cacheOption, jsonOption } from '../../options.js';
import { formatBytes, formatNumber } from '../../output/format.js';

export function cacheSizeCommand(io: Io): Command {
  return new Command('size')
    .description('Entries and bytes held, and what the directory takes on its disk')
    .addOption(cacheOption())
    .addOption(jsonOption())
    .action((flags: EnvFlags & { json?: boolean }) =>
      withEnv(flags, io, async ({ storage }) => {
        const held = { entries: 0, bytes: 0 };
        for await (const key of storage.list()) {
          io.signal.throwIfAborted();
          held.entries += 1;
          held.bytes += (await storage.head(key))?.size ?? 0;
        }
        const { cachePath: cache, kind: store } = storage;
        const disk = await directorySize(cache);
        const event = { type: 'size', cache, store, ...held, diskBytes: disk.bytes, files: disk.files };
        io.out(
          flags.json
            ? `${JSON.stringify(event)}\n`
            : [
                `entries    ${formatNumber(held.entries)}`,
                `bytes      ${formatBytes(held.bytes)}`,
                `disk       ${formatBytes(disk.bytes)} in ${formatNumber(disk.files)} files (${store})`,
                '',
              ].join('\n'),
        );
      }),
    );
}
