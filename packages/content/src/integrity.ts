import { ContentError } from './errors.js';
import type { DigestAlgorithm, Hasher, Hashers } from './hasher.js';

/** What content must be: an integrity string (Subresource Integrity, as in `dist.integrity`), a length, or both. */
export interface Expectation {
  integrity?: string | undefined;
  size?: number | undefined;
}

/** The hashes of an integrity string that count: those of its strongest algorithm. */
interface Wanted {
  algorithm: DigestAlgorithm;
  /** `sha512-…`, any of which may match. */
  hashes: string[];
}

/** Strongest first. MD5, which integrity strings may name too, proves nothing. */
const STRENGTH = ['sha512', 'sha384', 'sha256', 'sha1'] as const;

/**
 * Looks at content on its way. Feed it every piece, then ask it: it knows whether this is what was expected.
 * As npm's `ssri` has it, the strongest algorithm named decides, and one of its hashes must match.
 */
export class IntegrityCheck {
  readonly #wanted: Wanted | undefined;
  readonly #hasher: Hasher | undefined;
  readonly #size: number | undefined;
  #length = 0;

  private constructor(wanted: Wanted | undefined, hasher: Hasher | undefined, size: number | undefined) {
    this.#wanted = wanted;
    this.#hasher = hasher;
    this.#size = size;
  }

  /** `ERR_INTEGRITY` for an integrity string that names no algorithm known here: what cannot be checked is not trusted. */
  static async create({ integrity, size }: Expectation, hashers: Hashers): Promise<IntegrityCheck> {
    const wanted = integrity === undefined ? undefined : strongest(integrity);
    return new IntegrityCheck(wanted, wanted && (await hashers.create(wanted.algorithm)), size);
  }

  /** Bytes seen so far. */
  get length(): number {
    return this.#length;
  }

  update(bytes: Uint8Array): void | Promise<void> {
    this.#length += bytes.length;
    return this.#hasher?.update(bytes);
  }

  /** The hash that matched; `undefined` when none was asked for. `ERR_INTEGRITY` when the content is not what was expected. */
  async end(): Promise<string | undefined> {
    if (this.#size !== undefined && this.#length !== this.#size) {
      throw new ContentError('ERR_INTEGRITY', `the content has ${this.#length} bytes, not ${this.#size}`);
    }
    if (!this.#wanted || !this.#hasher) return undefined;
    const found = `${this.#wanted.algorithm}-${base64(await this.#hasher.digest())}`;
    if (this.#wanted.hashes.includes(found)) return found;
    throw new ContentError('ERR_INTEGRITY', `the content is ${found}, not ${this.#wanted.hashes.join(' or ')}`);
  }
}

/** The integrity string of a SHA-1 in hex, as `dist.shasum` has it; `undefined` for what is none. */
export function integrityOfShasum(shasum: string): string | undefined {
  if (!/^[0-9a-f]{40}$/i.test(shasum)) return undefined;
  const bytes = Uint8Array.from({ length: 20 }, (_, i) => Number.parseInt(shasum.slice(2 * i, 2 * i + 2), 16));
  return `sha1-${base64(bytes)}`;
}

function strongest(integrity: string): Wanted {
  const hashes = integrity.split(/\s+/).map((hash) => hash.replace(/\?.*$/s, ''));
  for (const algorithm of STRENGTH) {
    const own = hashes.filter((hash) => hash.startsWith(`${algorithm}-`));
    if (own.length > 0) return { algorithm, hashes: own };
  }
  throw new ContentError('ERR_INTEGRITY', `no hash to check against in ${JSON.stringify(integrity.slice(0, 200))}`);
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
