import { CacheError, normalizeOrigin } from '@_all_docs/cache';
import { registryBeforeUse } from './use-marks.js';

/** What npm's own configuration says about a registry. */
export interface NpmSettings {
  /** Without trailing slash. */
  registry: string;
  /** `Authorization` for that registry, from `.npmrc`; `undefined` when there is none. */
  authorization: string | undefined;
}

/**
 * The registry that npm would use (`npm_config_registry`, `.npmrc` files, else npm's default, which npm's own library
 * knows), or the given one, with the credentials that npm would send it. What `_all_docs use` wrote does not count.
 */
export async function readNpmSettings(
  given: string | undefined,
  { cwd, env }: { cwd: string; env: NodeJS.ProcessEnv },
): Promise<NpmSettings> {
  const [{ default: Config }, { default: npm }] = await Promise.all([
    import('@npmcli/config'),
    import('@npmcli/config/lib/definitions/index.js'),
  ]);
  const config = new Config({
    npmPath: cwd,
    cwd,
    // npm's library writes what it finds into the environment that it is given.
    env: { ...env },
    argv: [],
    ...npm,
    execPath: process.execPath,
    platform: process.platform,
    warn: false,
  });
  await config.load();
  const registry = registryUrl(given ?? registryBeforeUse(config));
  return { registry, authorization: authorizationOf(config.getCredentialsByURI(`${registry}/`)) };
}

/** The URL in one spelling; `ERR_BAD_ORIGIN` for none, `npm` included: that is a part of keys, nothing to connect to. */
export function registryUrl(text: string): string {
  const url = normalizeOrigin(text);
  if (!url.includes('://'))
    throw new CacheError('ERR_BAD_ORIGIN', `not a registry URL: ${text}; it must begin with https:// or http://`);
  return url;
}

function authorizationOf(credentials: { token?: string; auth?: string }): string | undefined {
  if (credentials.token) return `Bearer ${credentials.token}`;
  return credentials.auth ? `Basic ${credentials.auth}` : undefined;
}

/**
 * The replication host of the public npm registry, from its registry's host by its labels: `registry` becomes
 * `replicate`, the top-level domain `com`. `undefined` for every other registry: nobody knows theirs.
 */
export function deriveOrigin(registry: string): string | undefined {
  const url = new URL(registry);
  const [first, second, top, ...more] = url.hostname.split('.');
  if (first !== 'registry' || second !== 'npmjs' || (top !== 'org' && top !== 'com') || more.length > 0)
    return undefined;
  return `${url.protocol}//replicate.${second}.com`;
}
