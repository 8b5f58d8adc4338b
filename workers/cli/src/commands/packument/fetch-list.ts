import type { Check, PackumentForm } from '@_all_docs/packument';
import { Command } from 'commander';
import type { Io } from '../../io.js';
import type { EnvFlags } from '../../open-env.js';
import { checkOption, formOption, jsonOption, networkOptions } from '../../options.js';
import { runBootstrap } from '../bootstrap.js';

interface Flags extends EnvFlags {
  form: PackumentForm;
  check: Check;
  json?: boolean;
}

/** The same as `bootstrap --names`: interrupted, either command goes on where the other stopped. */
export function packumentFetchListCommand(io: Io): Command {
  const command = new Command('fetch-list')
    .description('Fetch the packuments of all names in a file. Interrupted, the same command goes on.')
    .argument('<file>', 'names, one a line or as a JSON array (- for standard input)');
  for (const option of [...networkOptions(), formOption(), checkOption(), jsonOption()]) command.addOption(option);
  return command.action(async (file: string, flags: Flags) => {
    process.exitCode = await runBootstrap({ ...flags, names: file, depth: 'packuments' }, io);
  });
}
