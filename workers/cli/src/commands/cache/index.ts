import { Command } from 'commander';
import type { Io } from '../../io.js';
import { cacheClearCommand } from './clear.js';
import { cacheGetCommand } from './get.js';
import { cacheImportCommand } from './import.js';
import { cacheLsCommand } from './ls.js';
import { cacheRmCommand } from './rm.js';
import { cacheSizeCommand } from './size.js';
import { cacheStatsCommand } from './stats.js';
import { cacheVerifyCommand } from './verify.js';

export function cacheCommand(io: Io): Command {
  return new Command('cache')
    .description('What is stored')
    .addCommand(cacheLsCommand(io))
    .addCommand(cacheGetCommand(io))
    .addCommand(cacheRmCommand(io))
    .addCommand(cacheSizeCommand(io))
    .addCommand(cacheStatsCommand(io))
    .addCommand(cacheVerifyCommand(io))
    .addCommand(cacheClearCommand(io))
    .addCommand(cacheImportCommand(io));
}
