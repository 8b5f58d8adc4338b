import { Command } from 'commander';
import type { Io } from '../../io.js';
import { type EnvFlags, withEnv } from '../../open-env.js';
import { cacheOption, jsonOption } from '../../options.js';
import { formatBytes, formatNumber } from '../../output/format.js';

export function cacheStatsCommand(io: Io): Command {
  return new Command('stats')
    .description('Entries and bytes by kind')
    .addOption(cacheOption())
    .addOption(jsonOption())
    .action((flags: EnvFlags & { json?: boolean }) =>
      withEnv(flags, io, async (env) => {
        const kinds = new Map<string, { entries: number; bytes: number }>();
        const total = { entries: 0, bytes: 0 };
        for await (const key of env.storage.list()) {
          io.signal.throwIfAborted();
          const size = (await env.storage.head(key))?.size ?? 0;
          const name = /^v1:([^:]+):/.exec(key)?.[1] ?? 'other';
          const kind = kinds.get(name) ?? { entries: 0, bytes: 0 };
          kinds.set(name, { entries: kind.entries + 1, bytes: kind.bytes + size });
          total.entries += 1;
          total.bytes += size;
        }
        if (flags.json) {
          io.out(
            `${JSON.stringify({ type: 'stats', cache: env.storage.cachePath, ...total, kinds: Object.fromEntries(kinds) })}\n`,
          );
          return;
        }
        for (const [name, { entries, bytes }] of [...kinds, ['total', total] as const]) {
          io.out(`${name}\t${formatNumber(entries)} entries\t${formatBytes(bytes)}\n`);
        }
      }),
    );
}
