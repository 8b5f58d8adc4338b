import { type FetchResult, PackumentClient, type PackumentForm, parsePackageName } from '@_all_docs/packument';
import { codeOf, messageOf } from '@_all_docs/worker';
import { Command } from 'commander';
import { EXIT, exitCodeOf } from '../../exit.js';
import type { Io } from '../../io.js';
import { type EnvFlags, withEnv } from '../../open-env.js';
import { formOption, jsonOption, networkOptions } from '../../options.js';
import { formatBytes } from '../../output/format.js';

export function packumentFetchCommand(io: Io): Command {
  const command = new Command('fetch').description('Fetch packuments by name').argument('<name...>', 'package names');
  for (const option of [...networkOptions(), formOption(), jsonOption()]) command.addOption(option);
  return command.action(async (given: string[], flags: EnvFlags & { form: PackumentForm; json?: boolean }) => {
    const names = given.map(parsePackageName);
    await withEnv(flags, io, async (env) => {
      const client = new PackumentClient({ env, form: flags.form });
      for (const name of names) {
        const line = await fetchOne(client, name, io.signal);
        io.out(flags.json ? `${JSON.stringify(line.event)}\n` : `${line.text}\n`);
        if (line.failed) process.exitCode = EXIT.incomplete;
      }
    });
  });
}

async function fetchOne(client: PackumentClient, name: string, signal: AbortSignal) {
  try {
    const result = await client.fetch(name, { known: await client.heldMetadata(name), signal });
    return {
      failed: result.outcome === 'absent',
      event: { type: 'packument', name, ...result },
      text: `${name}\t${describe(result)}`,
    };
  } catch (error) {
    // What ends the whole work (budget, storage, interruption) is not this package's failure.
    if (signal.aborted || exitCodeOf(error) !== EXIT.failure) throw error;
    const [code, message] = [codeOf(error), messageOf(error)];
    return {
      failed: true,
      event: { type: 'error', name, code, message },
      text: `${name}\tfailed: ${code}: ${message}`,
    };
  }
}

function describe(result: FetchResult): string {
  if (result.outcome === 'absent') return `not in the registry (${result.status})`;
  return result.outcome === 'unchanged' ? 'unchanged' : `stored, ${formatBytes(result.metadata.size)} compressed`;
}
