import type { Answer, HotAnswer } from '@_all_docs/registry';
import type { HeaderLookup } from './types.js';

/** How long an answer is relied on before the registry is asked again: a tarball that was removed stops being served. */
const CHECKED_MS = 1_000;
/** A larger one is not kept: it would put out too many others. */
const LARGEST_PART = 16;
const LONGEST_TARGET = 512;
const MOST_SEEN = 10_000;
/** What an entry takes beside its bytes, about. */
const ENTRY_BYTES = 1_024;

interface Kept {
  answer: HotAnswer;
  etag: string | undefined;
  size: number;
  checkedAt: number;
}

/**
 * Tarballs that are asked for again and again, in memory: the least recently used goes first. What is asked for once, as
 * by an install, is not kept. Holds only what its headers call immutable.
 */
export class TarballMemory {
  readonly #limit: number;
  readonly #now: () => number;
  readonly #kept = new Map<string, Kept>();
  /** Targets that were asked for once. Oldest first out. */
  readonly #seen = new Set<string>();
  #bytes = 0;

  /** `now` in milliseconds, from wherever. */
  constructor(limit: number, now: () => number = () => performance.now()) {
    this.#limit = limit;
    this.#now = now;
  }

  /** The answer, where it is known to be good; `undefined` for all else. */
  get(method: string, target: string, headers: HeaderLookup): HotAnswer | undefined {
    const kept = this.#kept.get(target);
    if (!kept || this.#now() - kept.checkedAt > CHECKED_MS) return undefined;
    if (headers('range') !== undefined) return undefined;
    const { answer, etag } = kept;
    const known = headers('if-none-match');
    if (known !== undefined && known !== etag) return undefined;
    this.#kept.delete(target);
    this.#kept.set(target, kept);
    if (known !== undefined) return { status: 304, headers: unchangedHeaders(answer.headers), body: undefined };
    if (method === 'GET') return answer;
    return method === 'HEAD' ? { ...answer, body: undefined } : undefined;
  }

  /** Tells what the registry answered to a GET. */
  learn(target: string, { status, headers, body }: Answer): void {
    const isWhole = status === 200 && body instanceof Uint8Array && isImmutable(headers);
    const old = this.#kept.get(target);
    if (old && !isWhole && status !== 304 && status !== 206) this.#drop(target, old);
    if (!isWhole || target.length > LONGEST_TARGET || body.length * LARGEST_PART > this.#limit) return;
    if (!old && !this.#isSeen(target)) return;
    if (old) this.#drop(target, old);
    const kept = {
      answer: { status, headers, body },
      etag: headerOf(headers, 'etag'),
      size: body.length + ENTRY_BYTES,
      checkedAt: this.#now(),
    };
    this.#kept.set(target, kept);
    this.#bytes += kept.size;
    for (const [oldest, entry] of this.#kept) {
      if (this.#bytes <= this.#limit) break;
      this.#drop(oldest, entry);
    }
  }

  /** Whether it was asked for before; it was from now on. */
  #isSeen(target: string): boolean {
    if (this.#seen.delete(target)) return true;
    this.#seen.add(target);
    const [oldest] = this.#seen;
    if (this.#seen.size > MOST_SEEN && oldest !== undefined) this.#seen.delete(oldest);
    return false;
  }

  #drop(target: string, { size }: Kept): void {
    this.#kept.delete(target);
    this.#bytes -= size;
  }
}

function isImmutable(headers: readonly string[]): boolean {
  return headerOf(headers, 'cache-control')?.includes('immutable') === true;
}

/** The headers that a 304 has, too (RFC 9110, section 15.4.5). */
function unchangedHeaders(headers: readonly string[]): string[] {
  return ['etag', 'cache-control'].flatMap((name) => {
    const value = headerOf(headers, name);
    return value === undefined ? [] : [name, value];
  });
}

function headerOf(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1];
  return undefined;
}
