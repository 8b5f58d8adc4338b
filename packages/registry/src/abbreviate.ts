import { ABBREVIATED_FIELDS, INSTALL_SCRIPTS } from './abbreviated-version.js';
import type { Decision } from './member-scanner.js';
import { ObjectWriter } from './object-writer.js';
import { type Projection, parseValue } from './projection.js';
import { tarballFile, tarballUrl } from './tarball-url.js';

/** How deep the members of a version's `dist` lie. */
const DIST = 3;
/** What `true` begins with. */
const TRUE = 0x74;

/** The abbreviated form of a full document, or of an abbreviated one. */
export class Abbreviation implements Projection {
  readonly #name: string;
  readonly #base: string | undefined;
  readonly #out = new ObjectWriter();
  #modified: Uint8Array | undefined;
  /** Whether the version at hand runs something when it is installed. */
  #installs = false;

  constructor(name: string, base?: string) {
    this.#name = name;
    this.#base = base;
    this.#out.member('name', JSON.stringify(name));
  }

  decide({ length, 0: first, 2: third }: readonly string[], key: string): Decision {
    if (length === 0) {
      if (key === 'versions' || key === 'time') return 'enter';
      return key === 'dist-tags' || key === 'modified' ? 'take' : 'skip';
    }
    if (first === 'time') return key === 'modified' ? 'take' : 'skip';
    if (length === 1) return 'enter';
    if (length === DIST) return this.#inMember(third as string, key);
    if (key === 'scripts' || (key === 'dist' && this.#base !== undefined)) return 'enter';
    return ABBREVIATED_FIELDS.has(key) || key === 'hasInstallScript' ? 'take' : 'skip';
  }

  enter(path: readonly string[]): void {
    if (!isSilent(path)) this.#out.enter(path.at(-1) as string);
  }

  leave(path: readonly string[]): void {
    // Full documents do not say it, abbreviated ones have no scripts. Left out when false.
    if (path.length === 2 && this.#installs) this.#out.member('hasInstallScript', 'true');
    if (path.length === 2) this.#installs = false;
    if (!isSilent(path)) this.#out.leave();
  }

  member(path: readonly string[], key: string, value: Uint8Array): void {
    if (path.length === DIST)
      this.#out.member(key, key === 'tarball' ? this.#tarball(path[1] as string, value) : value);
    else if (path.length === 2) this.#ofVersion(key, value);
    else if (key === 'modified') {
      // `time.modified` is the documented source; a document that is abbreviated already has no `time`.
      if (path.length === 1 || this.#modified === undefined) this.#modified = value.slice();
    } else if (key === 'dist-tags' && path.length === 0) this.#out.member(key, value);
  }

  take(): Uint8Array {
    return this.#out.take();
  }

  finish(): void {
    if (this.#modified) this.#out.member('modified', this.#modified);
    this.#out.leave();
  }

  /** What becomes of a member of a version's `dist` or `scripts`. */
  #inMember(parent: string, key: string): Decision {
    if (parent === 'dist') return 'take';
    if (INSTALL_SCRIPTS.has(key)) this.#installs = true;
    return 'skip';
  }

  #ofVersion(key: string, value: Uint8Array): void {
    if (key === 'hasInstallScript') this.#installs ||= value[0] === TRUE;
    else if (key !== 'scripts') this.#out.member(key, value);
  }

  /** JSON text of our own URL; what is no URL is left alone. */
  #tarball(version: string, value: Uint8Array): string | Uint8Array {
    const url = parseValue(value);
    if (this.#base === undefined || typeof url !== 'string') return value;
    return JSON.stringify(tarballUrl(this.#base, this.#name, tarballFile(this.#name, version, url)));
  }
}

/** What is looked into, and not written. */
function isSilent({ length, 0: first, 2: third }: readonly string[]): boolean {
  return length === 1 ? first === 'time' : length === DIST && third === 'scripts';
}
