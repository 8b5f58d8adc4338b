import { Command } from 'commander';
import type { Io } from '../../io.js';
import { packumentFetchCommand } from './fetch.js';
import { packumentFetchListCommand } from './fetch-list.js';
import { packumentShowCommand } from './show.js';
import { packumentVerifyCommand } from './verify.js';

export function packumentCommand(io: Io): Command {
  return new Command('packument')
    .description('Package documents')
    .addCommand(packumentFetchCommand(io))
    .addCommand(packumentFetchListCommand(io))
    .addCommand(packumentShowCommand(io))
    .addCommand(packumentVerifyCommand(io));
}
