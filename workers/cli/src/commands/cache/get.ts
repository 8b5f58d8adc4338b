import { Command, Option } from 'commander';
import { CliError, EXIT } from '../../exit.js';
import type { Io } from '../../io.js';
import { type EnvFlags, withEnv } from '../../open-env.js';
import { cacheOption } from '../../options.js';
import { printEntry } from '../../output/print-entry.js';

export function cacheGetCommand(io: Io): Command {
  return new Command('get')
    .description('Print the entry of a key, unpacked')
    .argument('<key>')
    .addOption(new Option('--metadata', 'print what is known of the entry instead of its body'))
    .addOption(cacheOption())
    .action((key: string, flags: EnvFlags & { metadata?: boolean }) =>
      withEnv(flags, io, async (env) => {
        const entry = await env.storage.read(key);
        if (!entry)
          throw new CliError(
            'ERR_NOT_HELD',
            `no entry with the key ${key}; list keys with: _all_docs cache ls`,
            EXIT.failure,
          );
        if (flags.metadata) io.out(`${JSON.stringify(entry.metadata, undefined, 2)}\n`);
        else await printEntry(entry, io);
      }),
    );
}
