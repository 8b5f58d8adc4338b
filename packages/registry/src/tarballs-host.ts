import { encodeOrigin } from '@_all_docs/cache';
import { originOf } from '@_all_docs/http';
import { RegistryError } from './errors.js';

/** Scheme and host of a URL in which nothing can be read differently by two URL libraries: no credentials, no backslash, no white space. */
const PLAIN = /^https?:\/\/[a-z0-9.\-_:[\]]+$/i;

/**
 * Which URLs tarballs may be fetched from: those of the registry's own host, and of the hosts that were allowed by name.
 * A document never decides by itself where a request goes: what it names may be an address inside our network. What lies at
 * the public registry is asked from the registry in its place, as npm does it (`replace-registry-host`): mirrors hand
 * documents on as they are.
 */
export class TarballHosts {
  readonly #base: string;
  readonly #registry: URL;
  readonly #hosts: ReadonlySet<string>;

  /** `allowed` are hosts as URLs have them: in any case, with their port where it is not the scheme's own. */
  constructor(registry: string, allowed: readonly string[] = []) {
    this.#base = registry.replace(/\/+$/, '');
    this.#registry = new URL(registry);
    this.#hosts = new Set([this.#registry.host, ...allowed.map((host) => host.toLowerCase())]);
  }

  /**
   * The URL to ask for a tarball: as written, but for the registry's own host over https where that is how it is asked, and
   * its path below the registry's where the public registry is named. `ERR_FORBIDDEN_HOST`.
   */
  resolve(url: string): string {
    // The path goes out as it is written: a URL object would resolve dots, and `@scope%2f..` is a package.
    const path = url.slice(originOf(url).length);
    if (this.#isPublic(url)) return this.#base + path;
    const { protocol, host, origin } = this.check(url);
    const upgrade = protocol === 'http:' && this.#registry.protocol === 'https:' && host === this.#registry.host;
    return (upgrade ? this.#registry.origin : origin) + path;
  }

  #isPublic(url: string): boolean {
    const origin = originOf(url);
    return (
      PLAIN.test(origin) && URL.canParse(url) && !this.#hosts.has(new URL(url).host) && encodeOrigin(origin) === 'npm'
    );
  }

  /** The URL, taken apart; `ERR_FORBIDDEN_HOST` for one that may not be asked. */
  check(url: string): URL {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    if (parsed && PLAIN.test(originOf(url)) && this.#hosts.has(parsed.host)) return parsed;
    throw new RegistryError(
      'ERR_FORBIDDEN_HOST',
      `refused to fetch a tarball from ${JSON.stringify(url.slice(0, 200))}: only ${[...this.#hosts].join(', ')} may be asked; allow another host by name where it is known to be good`,
    );
  }
}
