import { assertKey, type StorageDriver } from '@_all_docs/cache';
import { Command, Option } from 'commander';
import { CliError, EXIT } from '../../exit.js';
import type { Io } from '../../io.js';
import { type EnvFlags, withEnv } from '../../open-env.js';
import { cacheOption, jsonOption } from '../../options.js';
import { formatNumber } from '../../output/format.js';

interface Flags extends EnvFlags {
  prefix?: string;
  json?: boolean;
}

/** Removals that share a transaction. */
const AT_ONCE = 256;

export function cacheRmCommand(io: Io): Command {
  return new Command('rm')
    .description('Remove entries: those of exactly these keys, or all whose keys begin so')
    .argument('[key...]', 'keys, as cache ls prints them')
    .addOption(new Option('--prefix <prefix>', 'remove every entry whose key begins so'))
    .addOption(cacheOption())
    .addOption(jsonOption())
    .action(async (keys: string[], { prefix, json, ...flags }: Flags) => {
      if (keys.length > 0 === (prefix !== undefined))
        throw new CliError(
          'ERR_USAGE',
          'say what to remove in one way: give keys, or --prefix; see them with cache ls',
        );
      // Most likely a variable that was not set.
      if (prefix === '')
        throw new CliError('ERR_USAGE', 'an empty --prefix would remove everything; give one, or remove the directory');
      for (const key of keys) assertKey(key);
      await withEnv(flags, io, async ({ storage }) => {
        const { removed, missing } = await remove(
          storage,
          prefix === undefined ? keys : storage.list(prefix),
          io.signal,
        );
        const said = `${formatNumber(removed)} ${removed === 1 ? 'entry' : 'entries'} removed`;
        io.out(json ? `${JSON.stringify({ type: 'done', removed, missing: missing.length })}\n` : `${said}\n`);
        if (missing.length > 0) throw notHeld(missing);
      });
    });
}

async function remove(
  storage: StorageDriver,
  keys: Iterable<string> | AsyncIterable<string>,
  signal: AbortSignal,
): Promise<{ removed: number; missing: string[] }> {
  const missing: string[] = [];
  let removed = 0;
  let batch = new Set<string>();
  const flush = async () => {
    await Promise.all(
      Array.from(batch, async (key) => {
        if (await storage.has(key)) removed += 1;
        else missing.push(key);
        // Also where its bytes are gone already: what is left of it goes too.
        await storage.delete(key);
      }),
    );
    batch = new Set();
  };
  for await (const key of keys) {
    signal.throwIfAborted();
    batch.add(key);
    if (batch.size === AT_ONCE) await flush();
  }
  await flush();
  return { removed, missing };
}

function notHeld(missing: string[]): CliError {
  const [first] = missing;
  const more = missing.length > 1 ? ` and for ${formatNumber(missing.length - 1)} more` : '';
  return new CliError(
    'ERR_NOT_HELD',
    `no entry with the key ${first}${more}; list keys with: _all_docs cache ls`,
    EXIT.failure,
  );
}
