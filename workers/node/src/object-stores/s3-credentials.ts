import { CacheError } from '@_all_docs/cache';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

/** How a bucket is reached, as the usual environment variables and files of S3's own tools say. */
export interface S3Settings {
  credentials: S3Credentials;
  region: string;
  /** Of a server other than Amazon's; `undefined` for that one. */
  endpoint: string | undefined;
  /** Whether the bucket is the first part of the path, not of the host's name. */
  pathStyle: boolean;
}

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Reads `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION` or `AWS_DEFAULT_REGION`,
 * `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`; what they do not say from the profile `AWS_PROFILE` of
 * `AWS_SHARED_CREDENTIALS_FILE` and `AWS_CONFIG_FILE` (`~/.aws/credentials`, `~/.aws/config`). `ALL_DOCS_S3_STYLE=path|virtual`
 * says how the bucket is named; unless told, in the path for an endpoint of one's own. `ERR_CACHE_UNWRITABLE` without credentials.
 */
export async function readS3Settings(env: Variables, home = homedir()): Promise<S3Settings> {
  const profile = env['AWS_PROFILE'] || 'default';
  const [secrets, config] = await Promise.all([
    readProfile(env['AWS_SHARED_CREDENTIALS_FILE'] || join(home, '.aws', 'credentials'), [profile]),
    readProfile(env['AWS_CONFIG_FILE'] || join(home, '.aws', 'config'), [`profile ${profile}`, profile]),
  ]);
  const filed = { ...config, ...secrets };
  // A key of one place never goes with the secret of another.
  const [accessKeyId, secretAccessKey, sessionToken] = env['AWS_ACCESS_KEY_ID']
    ? [env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY'], env['AWS_SESSION_TOKEN']]
    : [filed['aws_access_key_id'], filed['aws_secret_access_key'], filed['aws_session_token']];
  if (!accessKeyId || !secretAccessKey) {
    throw new CacheError(
      'ERR_CACHE_UNWRITABLE',
      `no credentials for S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write the profile "${profile}" into ~/.aws/credentials`,
    );
  }
  const endpoint = env['AWS_ENDPOINT_URL_S3'] || env['AWS_ENDPOINT_URL'] || filed['endpoint_url'] || undefined;
  const style = env['ALL_DOCS_S3_STYLE'];
  return {
    credentials: { accessKeyId, secretAccessKey, sessionToken: sessionToken || undefined },
    region: env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || filed['region'] || 'us-east-1',
    endpoint,
    pathStyle: style ? style === 'path' : endpoint !== undefined,
  };
}

/** A section of an INI file; empty when there is no such file or section. */
async function readProfile(file: string, names: readonly string[]): Promise<Record<string, string>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new CacheError('ERR_CACHE_UNWRITABLE', `cannot read credentials from ${file}: ${(error as Error).message}`);
  }
  const found: Record<string, string> = {};
  let inside = false;
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[\s*([^\]]*?)\s*\]/.exec(line)?.[1];
    if (section !== undefined) inside = names.includes(section);
    const [, key, value] = /^([A-Za-z_]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (inside && key !== undefined && value !== undefined) found[key.toLowerCase()] = value;
  }
  return found;
}
