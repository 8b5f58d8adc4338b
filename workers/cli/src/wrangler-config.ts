import { readFileSync } from 'node:fs';
import { CliError } from './exit.js';

/** What `wrangler.jsonc` says of where the worker's bindings are. */
export interface WranglerConfig {
  account: string | undefined;
  namespace: string | undefined;
  bucket: string | undefined;
}

interface Bindings {
  account_id?: string;
  kv_namespaces?: { binding: string; id?: string }[];
  r2_buckets?: { binding: string; bucket_name?: string }[];
}

/** Text in quotes, which is kept, and comments. */
const COMMENTS = /("(?:\\.|[^"\\])*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
const TRAILING_COMMAS = /("(?:\\.|[^"\\])*")|,(?=\s*[}\]])/g;

/** Reads it, or one of its environments; `ERR_BAD_OPTION`. */
export function readWranglerConfig(path: string, environment?: string): WranglerConfig {
  let config: Bindings & { env?: Record<string, Bindings> };
  try {
    const text = readFileSync(path, 'utf8').replace(COMMENTS, '$1').replace(TRAILING_COMMAS, '$1');
    config = JSON.parse(text);
  } catch (cause) {
    throw new CliError('ERR_BAD_OPTION', `${path} cannot be read: ${(cause as Error).message}`, undefined, { cause });
  }
  const of = environment === undefined ? config : config.env?.[environment];
  if (!of) throw new CliError('ERR_BAD_OPTION', `${path} has no environment ${environment}`);
  return {
    account: config.account_id,
    namespace: of.kv_namespaces?.find(({ binding }) => binding === 'PACKUMENTS')?.id,
    bucket: of.r2_buckets?.find(({ binding }) => binding === 'BLOBS')?.bucket_name,
  };
}
