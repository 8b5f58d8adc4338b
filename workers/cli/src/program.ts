import { VERSION } from '@_all_docs/worker-node';
import { Command } from 'commander';
import { bootstrapCommand } from './commands/bootstrap.js';
import { cacheClearCommand } from './commands/cache/clear.js';
import { cacheGetCommand } from './commands/cache/get.js';
import { cacheImportCommand } from './commands/cache/import.js';
import { cacheLsCommand } from './commands/cache/ls.js';
import { cacheRmCommand } from './commands/cache/rm.js';
import { cacheSizeCommand } from './commands/cache/size.js';
import { cacheStatsCommand } from './commands/cache/stats.js';
import { cacheVerifyCommand } from './commands/cache/verify.js';
import { fetchCommand } from './commands/fetch.js';
import { followCommand } from './commands/follow.js';
import { packumentFetchCommand } from './commands/packument/fetch.js';
import { packumentFetchListCommand } from './commands/packument/fetch-list.js';
import { packumentShowCommand } from './commands/packument/show.js';
import { packumentVerifyCommand } from './commands/packument/verify.js';
import { partitionFetchCommand } from './commands/partition/fetch.js';
import { partitionLsCommand } from './commands/partition/ls.js';
import { partitionSplitCommand } from './commands/partition/split.js';
import { partitionVerifyCommand } from './commands/partition/verify.js';
import { pivotsCheckCommand } from './commands/pivots/check.js';
import { pivotsMakeCommand } from './commands/pivots/make.js';
import { pushCommand } from './commands/push.js';
import { reconcileCommand } from './commands/reconcile.js';
import { serveCommand } from './commands/serve.js';
import { statusCommand } from './commands/status.js';
import { unuseCommand } from './commands/unuse.js';
import { useCommand } from './commands/use.js';
import { applyConfig, assertKnown, readConfigFile } from './config-file.js';
import type { Io } from './io.js';

/** The whole command line. */
export function createProgram(io: Io): Command {
  const program = new Command('_all_docs')
    .description('A replica of the npm registry: list it, fetch it, prove that it is complete')
    .version(VERSION)
    .addCommand(bootstrapCommand(io))
    .addCommand(
      new Command('partition')
        .description('Names by key ranges')
        .addCommand(partitionFetchCommand(io))
        .addCommand(partitionLsCommand(io))
        .addCommand(partitionSplitCommand(io))
        .addCommand(partitionVerifyCommand(io)),
    )
    .addCommand(
      new Command('pivots')
        .description('Sets of boundaries between partitions')
        .addCommand(pivotsMakeCommand(io))
        .addCommand(pivotsCheckCommand(io)),
    )
    .addCommand(
      new Command('packument')
        .description('Package documents')
        .addCommand(packumentFetchCommand(io))
        .addCommand(packumentFetchListCommand(io))
        .addCommand(packumentShowCommand(io))
        .addCommand(packumentVerifyCommand(io)),
    )
    .addCommand(
      new Command('cache')
        .description('What is stored')
        .addCommand(cacheLsCommand(io))
        .addCommand(cacheGetCommand(io))
        .addCommand(cacheRmCommand(io))
        .addCommand(cacheSizeCommand(io))
        .addCommand(cacheStatsCommand(io))
        .addCommand(cacheVerifyCommand(io))
        .addCommand(cacheClearCommand(io))
        .addCommand(cacheImportCommand(io)),
    )
    .addCommand(fetchCommand(io))
    .addCommand(followCommand(io))
    .addCommand(reconcileCommand(io))
    .addCommand(pushCommand(io))
    .addCommand(serveCommand(io))
    .addCommand(useCommand(io))
    .addCommand(unuseCommand(io))
    .addCommand(statusCommand(io));
  const config = readConfigFile(io.env);
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
