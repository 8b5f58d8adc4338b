import { mkdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { CliError, EXIT } from '../exit.js';
import type { ConfigFile } from './clients.js';
import { type Block, findBlock, insertBlock } from './marked-block.js';

/** What became of a file: `unchanged` when it was so already. */
export type Change = 'changed' | 'unchanged';

/**
 * Makes a client's file name the registry; everything else in it stays as it is. Doing it again changes nothing, another
 * URL takes the place of the first. `ERR_CONFIG_CHANGED` when somebody changed what an earlier `use` wrote.
 */
export async function useRegistry({ path, edit }: ConfigFile, url: string): Promise<Change> {
  const found = read(path);
  const block = blockIn(path, found);
  const before = block ? block.restored : found;
  const wanted = insertBlock(before, await edit(before ?? '', url));
  if (wanted === found) return 'unchanged';
  write(path, { found, wanted });
  return 'changed';
}

/**
 * Puts back what was in a client's file before `use`, byte for byte; a file that `use` made and nobody added to is removed.
 * `ERR_CONFIG_CHANGED` when the lines concerned are not as `use` left them.
 */
export async function unuseRegistry({ path, edit }: ConfigFile): Promise<Change> {
  const found = read(path);
  const block = blockIn(path, found);
  if (!block) return 'unchanged';
  const { restored, kept, lines } = block;
  const [url = ''] = /https?:[^"\s]+/.exec(lines.join('\n')) ?? [];
  // What was set besides, after `use`, would stand beside the old setting.
  const { aside } = await Promise.resolve(edit(restored ?? '', url)).catch(() => ({ aside: [] }));
  if (aside.length !== kept) throw changed(path);
  write(path, { found, wanted: restored });
  return 'changed';
}

function blockIn(path: string, text: string | undefined): Block | undefined {
  const block = text === undefined ? undefined : findBlock(text);
  if (block === 'changed') throw changed(path);
  return block;
}

/** The text; `undefined` when there is no file. A byte order mark is kept: all bytes must come out again. */
function read(path: string): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unusable(path, error);
  }
}

/** Replaces the file as a whole, or removes it; a link stays a link. `ERR_CONFIG_CHANGED` when it was changed just now. */
function write(path: string, { found, wanted }: { found: string | undefined; wanted: string | undefined }): void {
  if (read(path) !== found) throw changed(path);
  try {
    if (wanted === undefined) {
      rmSync(path);
      return;
    }
    const target = found === undefined ? path : realpathSync(path);
    mkdirSync(dirname(target), { recursive: true });
    const temporary = `${target}.${process.pid}.tmp`;
    // Such files may hold tokens, or get some later: a new one is its owner's alone.
    const mode = found === undefined ? 0o600 : statSync(target).mode;
    writeFileSync(temporary, wanted, { mode, flag: 'wx' });
    renameSync(temporary, target);
  } catch (error) {
    throw unusable(path, error);
  }
}

function changed(path: string): CliError {
  const message = `${path} was changed where _all_docs use had written; take its marked lines out by hand, and put back those that it kept as comments`;
  return new CliError('ERR_CONFIG_CHANGED', message, EXIT.failure);
}

function unusable(path: string, cause: unknown): CliError {
  const message = `cannot change ${path}: ${(cause as Error).message}`;
  return new CliError('ERR_CLIENT_CONFIG', message, EXIT.failure, { cause });
}
