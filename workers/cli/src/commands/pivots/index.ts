import { Command } from 'commander';
import type { Io } from '../../io.js';
import { pivotsCheckCommand } from './check.js';
import { pivotsMakeCommand } from './make.js';

export function pivotsCommand(io: Io): Command {
  return new Command('pivots')
    .description('Sets of boundaries between partitions')
    .addCommand(pivotsMakeCommand(io))
    .addCommand(pivotsCheckCommand(io));
}
