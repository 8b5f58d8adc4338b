import type { RegistryLogger } from '@_all_docs/registry';

/** A line of JSON each, where `fastly log-tail` shows it. */
export const hostLogger: Required<RegistryLogger> = {
  info: (message, fields) => log('info', message, fields),
  warn: (message, fields) => log('warn', message, fields),
  error: (message, fields) => log('error', message, fields),
};

function log(level: string, message: string, fields: Record<string, unknown> | undefined): void {
  console.log(JSON.stringify({ level, message, ...fields }));
}
