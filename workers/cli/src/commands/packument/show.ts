import { PackumentClient, type PackumentForm, parsePackageName } from '@_all_docs/packument';
import { Command } from 'commander';
import { CliError, EXIT } from '../../exit.js';
import type { Io } from '../../io.js';
import { type EnvFlags, withEnv } from '../../open-env.js';
import { cacheOption, formOption, registryOption } from '../../options.js';
import { printEntry } from '../../output/print-entry.js';

export function packumentShowCommand(io: Io): Command {
  return new Command('show')
    .description('Print a stored packument')
    .argument('<name>', 'package name')
    .addOption(registryOption())
    .addOption(cacheOption())
    .addOption(formOption())
    .action((given: string, flags: EnvFlags & { form: PackumentForm }) =>
      withEnv(flags, io, async (env) => {
        const name = parsePackageName(given);
        const client = new PackumentClient({ env, form: flags.form });
        const entry = await env.storage.read(client.keyOf(name));
        if (!entry) {
          throw new CliError(
            'ERR_NOT_HELD',
            `${name} is not held; fetch it with: _all_docs packument fetch ${name}`,
            EXIT.failure,
          );
        }
        await printEntry(entry, io);
        io.out('\n');
      }),
    );
}
