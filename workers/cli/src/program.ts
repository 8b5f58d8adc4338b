import { VERSION } from '@_all_docs/worker-node';
import { Command } from 'commander';
import { applyConfig, assertKnown, readConfigFile } from './config-file.js';
import type { Io } from './io.js';

/** By name, in the order of the help. What is not asked for is not loaded: all of them take longer than the rest of a start. */
const COMMANDS: Record<string, () => Promise<(io: Io) => Command>> = {
  bootstrap: async () => (await import('./commands/bootstrap.js')).bootstrapCommand,
  partition: async () => (await import('./commands/partition/index.js')).partitionCommand,
  pivots: async () => (await import('./commands/pivots/index.js')).pivotsCommand,
  packument: async () => (await import('./commands/packument/index.js')).packumentCommand,
  cache: async () => (await import('./commands/cache/index.js')).cacheCommand,
  fetch: async () => (await import('./commands/fetch.js')).fetchCommand,
  follow: async () => (await import('./commands/follow.js')).followCommand,
  reconcile: async () => (await import('./commands/reconcile.js')).reconcileCommand,
  push: async () => (await import('./commands/push.js')).pushCommand,
  serve: async () => (await import('./commands/serve.js')).serveCommand,
  use: async () => (await import('./commands/use.js')).useCommand,
  unuse: async () => (await import('./commands/unuse.js')).unuseCommand,
  status: async () => (await import('./commands/status.js')).statusCommand,
};

/** The command line: with the commands that `words` names, with all where it names none. */
export async function createProgram(io: Io, words: readonly string[]): Promise<Command> {
  const config = readConfigFile(io.env);
  const named = Object.keys(COMMANDS).filter((name) => words.includes(name));
  // Each key of the config file is a flag of any of the commands.
  const isPart = named.length > 0 && Object.keys(config).length === 0;
  const program = new Command('_all_docs')
    .description('A replica of the npm registry: list it, fetch it, prove that it is complete')
    .version(VERSION);
  const makers = await Promise.all((isPart ? named : Object.keys(COMMANDS)).map((name) => COMMANDS[name]?.()));
  for (const make of makers) if (make) program.addCommand(make(io));
  assertKnown(config, program);
  configure(program, io, config);
  return program;
}

/** Commander inherits neither of these to commands made elsewhere. */
function configure(command: Command, io: Io, config: Record<string, unknown>): void {
  command.exitOverride().configureOutput({ writeOut: io.out, writeErr: () => {} });
  applyConfig(command, config);
  for (const child of command.commands) configure(child, io, config);
}
