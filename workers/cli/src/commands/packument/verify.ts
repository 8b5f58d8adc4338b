import { PackumentClient, type PackumentForm, parsePackageName, verifyPackuments } from '@_all_docs/packument';
import { Command } from 'commander';
import { EXIT } from '../../exit.js';
import type { Io } from '../../io.js';
import { type EnvFlags, withEnv } from '../../open-env.js';
import { cacheOption, formOption, jsonOption, registryOption } from '../../options.js';
import { formatBytes, formatNumber } from '../../output/format.js';

export function packumentVerifyCommand(io: Io): Command {
  return new Command('verify')
    .description('Read stored packuments and check digest, checksum, JSON and name; exits 5 when one fails')
    .argument('[name...]', 'package names (default: all that are held)')
    .addOption(registryOption())
    .addOption(cacheOption())
    .addOption(formOption())
    .addOption(jsonOption())
    .action((names: string[], { json, form, ...flags }: EnvFlags & { form: PackumentForm; json?: boolean }) =>
      withEnv(flags, io, async (env) => {
        const client = new PackumentClient({ env, form });
        const keys = names.map((name) => client.keyOf(parsePackageName(name)));
        const seen = { packuments: 0, bytes: 0, problems: 0 };
        for await (const { name, size, problem } of verifyPackuments(env, {
          form,
          ...(names.length > 0 ? { keys } : {}),
        })) {
          io.signal.throwIfAborted();
          seen.packuments += 1;
          seen.bytes += size;
          if (!problem) continue;
          seen.problems += 1;
          io.out(
            json
              ? `${JSON.stringify({ type: 'error', name, ...problem })}\n`
              : `${name}\t${problem.code}: ${problem.message}\n`,
          );
        }
        const said = `${formatNumber(seen.packuments)} packuments (${formatBytes(seen.bytes)} compressed) read, ${formatNumber(seen.problems)} damaged`;
        io.out(json ? `${JSON.stringify({ type: 'done', ...seen })}\n` : `${said}\n`);
        if (seen.problems > 0) process.exitCode = EXIT.integrity;
      }),
    );
}
