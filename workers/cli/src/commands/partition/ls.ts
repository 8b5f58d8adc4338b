import { heldRanges, PartitionClient } from '@_all_docs/partition';
import { Command } from 'commander';
import type { Io } from '../../io.js';
import { type EnvFlags, withEnv } from '../../open-env.js';
import { cacheOption, jsonOption, originOption, registryOption } from '../../options.js';

export function partitionLsCommand(io: Io): Command {
  return new Command('ls')
    .description('Held partitions in the order of their names: start, end, rows (tab-separated; an empty end is open)')
    .addOption(originOption())
    .addOption(registryOption())
    .addOption(cacheOption())
    .addOption(jsonOption())
    .action((flags: EnvFlags & { json?: boolean }) =>
      withEnv(flags, io, async (env) => {
        const client = new PartitionClient({ env });
        for (const { startKey, endKey } of await heldRanges(env)) {
          const rows = (await client.heldTable({ startKey, endKey }))?.length ?? 0;
          io.out(
            flags.json
              ? `${JSON.stringify({ type: 'partition', startKey, endKey, rows })}\n`
              : `${startKey ?? ''}\t${endKey ?? ''}\t${rows}\n`,
          );
        }
      }),
    );
}
