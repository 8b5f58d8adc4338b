import { Command } from 'commander';
import { unuseRegistry } from '../clients/change-config.js';
import { CLIENTS, type Client, configFiles } from '../clients/clients.js';
import { EXIT } from '../exit.js';
import type { Io } from '../io.js';
import { jsonOption } from '../options.js';
import { clientsArgument, globalOption, tell } from './use.js';

export function unuseCommand(io: Io): Command {
  return new Command('unuse')
    .description('Put back the configuration of package managers as it was before use (default: of all)')
    .addArgument(clientsArgument())
    .addOption(globalOption())
    .addOption(jsonOption())
    .action(async (named: Client[], flags: { global?: boolean; json?: boolean }) => {
      const clients = named.length > 0 ? named : CLIENTS;
      let told = 0;
      for (const file of configFiles(clients, { cwd: process.cwd(), global: flags.global ?? false, env: io.env })) {
        const change = await unuseRegistry(file);
        if (named.length === 0 && change === 'unchanged') continue;
        tell(io, flags, {
          file,
          change,
          words: change === 'changed' ? 'is as it was before' : 'was not changed by use',
        });
        told += 1;
      }
      if (flags.json) io.out(`${JSON.stringify({ type: 'done', exitCode: EXIT.done })}\n`);
      else if (told === 0) io.out('nothing to put back here\n');
    });
}
