import { Command } from 'commander';
import type { Io } from '../../io.js';
import type { EnvFlags } from '../../open-env.js';
import { jsonOption, networkOptions } from '../../options.js';
import type { SelectionFlags } from '../../selection/choose.js';
import { rangeOptions, runBootstrap } from '../bootstrap.js';

export function partitionFetchCommand(io: Io): Command {
  const command = new Command('fetch')
    .alias('refresh')
    .description('List names and revisions of a range into the cache');
  for (const option of [...rangeOptions(), ...networkOptions()]) command.addOption(option);
  return command.addOption(jsonOption()).action(async (flags: EnvFlags & SelectionFlags & { json?: boolean }) => {
    process.exitCode = await runBootstrap({ ...flags, depth: 'names', form: 'full', check: 'crc' }, io);
  });
}
