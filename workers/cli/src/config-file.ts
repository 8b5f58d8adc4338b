import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { CliError } from './exit.js';

/** Where the config file lies: `ALL_DOCS_CONFIG`, else `_all_docs/config.json` in the platform's folder for configuration. */
function configPath(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): string {
  if (env['ALL_DOCS_CONFIG']) return env['ALL_DOCS_CONFIG'];
  const home = env['HOME'] ?? env['USERPROFILE'] ?? '.';
  const folder =
    platform === 'win32'
      ? env['APPDATA']
      : platform === 'darwin'
        ? join(home, 'Library', 'Preferences')
        : env['XDG_CONFIG_HOME'];
  return join(folder || join(home, '.config'), '_all_docs', 'config.json');
}

/**
 * The config file: a JSON object of flags by their long names (`{ "rate": 50, "cache": "/data/npm" }`). Nothing when
 * there is none; `ERR_BAD_CONFIG` when it cannot be used, or when `ALL_DOCS_CONFIG` names one that is not there.
 */
export function readConfigFile(
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
): Record<string, unknown> {
  const path = configPath(env, platform);
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (cause) {
    const absent = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    if (absent && !env['ALL_DOCS_CONFIG']) return {};
    throw new CliError(
      'ERR_BAD_CONFIG',
      `cannot read ${path}: ${(cause as Error).message}; it must be a JSON object`,
      undefined,
      { cause },
    );
  }
  throw new CliError('ERR_BAD_CONFIG', `${path} must be a JSON object of flags by their long names`);
}

/** `ERR_BAD_CONFIG` for a key that is no flag of any command: a slip of the pen must not pass in silence. */
export function assertKnown(config: Record<string, unknown>, program: Command): void {
  const known = new Set(flagsOf(program));
  const unknown = Object.keys(config).find((key) => !known.has(key));
  if (unknown === undefined) return;
  throw new CliError(
    'ERR_BAD_CONFIG',
    `the config file's ${JSON.stringify(unknown)} is no flag of any command; see _all_docs bootstrap --help`,
  );
}

function flagsOf(command: Command): string[] {
  return [...command.options.map((option) => option.name()), ...command.commands.flatMap(flagsOf)];
}

/** Gives a command the values of its flags from the config file; flags and environment win over them. */
export function applyConfig(command: Command, config: Record<string, unknown>): void {
  for (const option of command.options) {
    const value = config[option.name()];
    if (value === undefined) continue;
    try {
      const parsed = option.parseArg && typeof value !== 'boolean' ? option.parseArg(String(value), undefined) : value;
      command.setOptionValueWithSource(option.attributeName(), parsed, 'config');
    } catch (cause) {
      throw new CliError(
        'ERR_BAD_CONFIG',
        `the config file's ${option.name()} cannot be used: ${(cause as Error).message}`,
        undefined,
        { cause },
      );
    }
  }
}
