import { Command } from 'commander';
import type { Io } from '../../io.js';
import { partitionFetchCommand } from './fetch.js';
import { partitionLsCommand } from './ls.js';
import { partitionSplitCommand } from './split.js';
import { partitionVerifyCommand } from './verify.js';

export function partitionCommand(io: Io): Command {
  return new Command('partition')
    .description('Names by key ranges')
    .addCommand(partitionFetchCommand(io))
    .addCommand(partitionLsCommand(io))
    .addCommand(partitionSplitCommand(io))
    .addCommand(partitionVerifyCommand(io));
}
