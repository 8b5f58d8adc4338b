import { Command } from 'commander';
import type { Io } from '../../io.js';
import { type EnvFlags, withEnv } from '../../open-env.js';
import { cacheOption } from '../../options.js';

export function cacheLsCommand(io: Io): Command {
  return new Command('ls')
    .description('Keys, one a line, in the order of their bytes')
    .argument('[prefix]', 'only keys that begin so', '')
    .addOption(cacheOption())
    .action((prefix: string, flags: EnvFlags) =>
      withEnv(flags, io, async (env) => {
        for await (const key of env.storage.list(prefix)) {
          io.signal.throwIfAborted();
          io.out(`${key}\n`);
        }
      }),
    );
}
