import type { Decision } from './member-scanner.js';
import { ObjectWriter } from './object-writer.js';
import { isObject, type Projection, parseValue } from './projection.js';
import { tarballFile, tarballUrl } from './tarball-url.js';

/**
 * What the abbreviated form says of a version (npm/registry, "Package metadata", abbreviated version object), and `libc`
 * beyond it: installers need that to choose among optional packages of a platform.
 */
const FIELDS = [
  'name',
  'version',
  'deprecated',
  'dependencies',
  'acceptDependencies',
  'optionalDependencies',
  'devDependencies',
  'bundleDependencies',
  'peerDependencies',
  'peerDependenciesMeta',
  'bin',
  'directories',
  'dist',
  'engines',
  '_hasShrinkwrap',
  'funding',
  'cpu',
  'os',
  'libc',
] as const;
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall'];

/** The abbreviated form of a full document, or of an abbreviated one. */
export class Abbreviation implements Projection {
  readonly #name: string;
  readonly #base: string | undefined;
  readonly #out = new ObjectWriter();
  #modified: Uint8Array | undefined;

  constructor(name: string, base?: string) {
    this.#name = name;
    this.#base = base;
    this.#out.member('name', JSON.stringify(name));
  }

  decide(parent: string | undefined, key: string): Decision {
    if (parent === 'versions') return 'take';
    if (parent === 'time') return key === 'modified' ? 'take' : 'skip';
    if (key === 'versions' || key === 'time') return 'enter';
    return key === 'dist-tags' || key === 'modified' ? 'take' : 'skip';
  }

  enter(key: string): void {
    if (key === 'versions') this.#out.enter(key);
  }

  leave(key: string): void {
    if (key === 'versions') this.#out.leave();
  }

  member(parent: string | undefined, key: string, value: Uint8Array): void {
    if (parent === 'versions') {
      const version = parseValue(value);
      if (isObject(version)) this.#out.member(key, JSON.stringify(this.#abbreviate(key, version)));
    } else if (key === 'modified') {
      // `time.modified` is the documented source; a document that is abbreviated already has no `time`.
      if (parent === 'time' || this.#modified === undefined) this.#modified = value.slice();
    } else if (key === 'dist-tags') {
      this.#out.member(key, value);
    }
  }

  take(): Uint8Array {
    return this.#out.take();
  }

  finish(): void {
    if (this.#modified) this.#out.member('modified', this.#modified);
    this.#out.leave();
  }

  #abbreviate(key: string, version: Record<string, unknown>): Record<string, unknown> {
    const short: Record<string, unknown> = {};
    for (const field of FIELDS) {
      if (version[field] !== undefined) short[field] = version[field];
    }
    if (runsInstallScript(version)) short['hasInstallScript'] = true;
    const { dist } = version;
    if (this.#base !== undefined && isObject(dist) && typeof dist['tarball'] === 'string') {
      const file = tarballFile(this.#name, key, dist['tarball']);
      short['dist'] = { ...dist, tarball: tarballUrl(this.#base, this.#name, file) };
    }
    return short;
  }
}

/** Full documents do not say it, abbreviated ones have no scripts. Left out when false. */
function runsInstallScript({ scripts, hasInstallScript }: Record<string, unknown>): boolean {
  return (
    hasInstallScript === true || (isObject(scripts) && INSTALL_SCRIPTS.some((name) => Object.hasOwn(scripts, name)))
  );
}
