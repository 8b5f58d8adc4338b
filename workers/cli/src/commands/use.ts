import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { type Change, useRegistry } from '../clients/change-config.js';
import { CLIENTS, type Client, type ConfigFile, clientsOf, configFiles } from '../clients/clients.js';
import { EXIT } from '../exit.js';
import type { Io } from '../io.js';
import { jsonOption } from '../options.js';

interface Flags {
  url: string;
  global?: boolean;
  json?: boolean;
}

export const clientsArgument = (): Argument =>
  new Argument('[client...]', 'npm, pnpm, yarn1, yarn4, bun').choices(CLIENTS);

export const globalOption = (): Option => new Option('--global', "the user's own configuration, not the project's");

export function useCommand(io: Io): Command {
  return new Command('use')
    .description(
      'Make package managers of this directory install from the replica (default: those whose lockfile lies here)',
    )
    .addArgument(clientsArgument())
    .addOption(
      new Option('--url <url>', "where clients reach npm's routes of the replica")
        .env('ALL_DOCS_URL')
        .argParser(registryUrl)
        .default('http://127.0.0.1:8080/npm/'),
    )
    .addOption(globalOption())
    .addOption(jsonOption())
    .action(async (named: Client[], flags: Flags) => {
      const cwd = process.cwd();
      const chosen = named.length > 0 ? named : flags.global ? (['npm'] as const) : clientsOf(cwd);
      const files = configFiles(chosen, { cwd, global: flags.global ?? false, env: io.env });
      for (const file of files) {
        const change = await useRegistry(file, flags.url);
        const words = change === 'changed' ? `now installs from ${flags.url}` : `installs from ${flags.url} already`;
        tell(io, flags, { file, change, words });
      }
      if (flags.json) io.out(`${JSON.stringify({ type: 'done', exitCode: EXIT.done })}\n`);
      else
        io.out(`put back what was there with: _all_docs unuse ${chosen.join(' ')}${flags.global ? ' --global' : ''}\n`);
    });
}

/** One line for each file. */
export function tell(
  io: Io,
  { json }: { json?: boolean },
  { file, change, words }: { file: ConfigFile; change: Change; words: string },
): void {
  const { clients, path } = file;
  io.out(
    json
      ? `${JSON.stringify({ type: 'client', clients, path, change })}\n`
      : `${clients.join(', ').padEnd(10)} ${words} (${path})\n`,
  );
}

function registryUrl(text: string): string {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash)
    throw new InvalidArgumentError('It must be an http or https URL, without user or query.');
  return url.href.endsWith('/') ? url.href : `${url.href}/`;
}
