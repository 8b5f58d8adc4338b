import { originOf } from '@_all_docs/http';
import { RegistryError } from './errors.js';

/**
 * Which URLs tarballs may be fetched from: those of the registry's own host, and of the hosts that were allowed by name.
 * A document never decides by itself where a request goes: what it names may be an address inside our network.
 */
export class TarballHosts {
  readonly #registry: URL;
  readonly #hosts: ReadonlySet<string>;

  /** `allowed` are hosts as URLs have them: in any case, with their port where it is not the scheme's own. */
  constructor(registry: string, allowed: readonly string[] = []) {
    this.#registry = new URL(registry);
    this.#hosts = new Set([this.#registry.host, ...allowed.map((host) => host.toLowerCase())]);
  }

  /** The URL to ask for a tarball: as written, but for the registry's own host over https where that is how it is asked. `ERR_FORBIDDEN_HOST`. */
  resolve(url: string): string {
    const { protocol, host, origin } = this.check(url);
    const upgrade = protocol === 'http:' && this.#registry.protocol === 'https:' && host === this.#registry.host;
    // The path goes out as it is written: a URL object would resolve dots, and `@scope%2f..` is a package.
    return (upgrade ? this.#registry.origin : origin) + url.slice(originOf(url).length);
  }

  /** The URL, taken apart; `ERR_FORBIDDEN_HOST` for one that may not be asked. */
  check(url: string): URL {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    // Nothing that two URL libraries may read differently: no credentials, no backslash, no white space before the path.
    const isPlain = /^https?:\/\/[a-z0-9.\-_:[\]]+$/i.test(originOf(url));
    if (parsed && isPlain && this.#hosts.has(parsed.host)) return parsed;
    throw new RegistryError(
      'ERR_FORBIDDEN_HOST',
      `refused to fetch a tarball from ${JSON.stringify(url.slice(0, 200))}: only ${[...this.#hosts].join(', ')} may be asked; allow another host by name where it is known to be good`,
    );
  }
}
