import type { PackumentForm } from '@_all_docs/packument';
import { configuredBase } from './base-url.js';
import { RegistryError } from './errors.js';
import type { RegistryOptions, TarballHost } from './types.js';

/** {@link RegistryOptions} with nothing left open. */
export interface Settings {
  prefix: string;
  form: PackumentForm;
  offline: boolean;
  maxAgeMs: number;
  notFoundMs: number;
  patienceMs: number;
  tarballHost: TarballHost;
  /** The base of our own URLs, where it does not depend on the request. */
  base: string | undefined;
  scheme: 'http' | 'https';
  derivedBytes: number;
  documentBytes: number;
  hotBytes: number;
  cacheControl: string;
}

const DEFAULT_PREFIX = '/npm/';

/** Options with their defaults, for a registry as `encodeOrigin` spells it. `ERR_BAD_OPTION` for what cannot be. */
export function settle(options: RegistryOptions, origin: string): Settings {
  const { prefix = DEFAULT_PREFIX, publicUrl } = options;
  if (prefix !== DEFAULT_PREFIX && !/^\/(?:[\w.~-]+\/)*$/.test(prefix)) {
    throw new RegistryError('ERR_BAD_OPTION', `not a path prefix: ${prefix}; it begins and ends with a slash`);
  }
  return {
    prefix,
    form: options.form ?? 'full',
    offline: options.offline ?? false,
    maxAgeMs: options.maxAgeMs ?? 300_000,
    notFoundMs: options.notFoundMs ?? 60_000,
    patienceMs: options.patienceMs ?? 60_000,
    tarballHost: options.tarballHost ?? (origin === 'npm' ? 'auto' : 'self'),
    base: publicUrl === undefined ? undefined : configuredBase(publicUrl, prefix),
    scheme: options.scheme ?? 'http',
    derivedBytes: options.derivedBytes ?? 1024 ** 3,
    documentBytes: options.documentBytes ?? 10_000_000_000,
    hotBytes: options.hotBytes ?? 64 * 1024 ** 2,
    cacheControl: options.cacheControl ?? 'public, max-age=300',
  };
}
