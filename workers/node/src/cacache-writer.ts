import type { EntryMetadata } from '@_all_docs/cache';
import { hash, randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { SyncFileSystem } from './file-system.js';
import type { Durability } from './sqlite-file.js';

const TAG = `Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag created by _all_docs, in the format of cacache.
# For information about cache directory tags, see https://bford.info/cachedir/
`;

/**
 * Writes entries in the on-disk format of npm's cacache (content-v2, index-v5), in place of that library's `put`, which
 * spends most of its time on a dozen trips through the thread pool. A body is written under a temporary name and renamed
 * when it is whole; then a line is appended to the key's index bucket. Everything else (get, ls, verify) is cacache's own.
 */
export class CacacheWriter {
  readonly #path: string;
  readonly #fs: SyncFileSystem;
  readonly #durability: Durability;
  /** Folders whose names are safe from a power cut. */
  readonly #synced = new Set<string>();
  #tagged = false;

  constructor(cachePath: string, fs: SyncFileSystem, durability: Durability) {
    this.#path = cachePath;
    this.#fs = fs;
    this.#durability = durability;
  }

  /** Stores a body; gives its integrity string. Throws the file system's error, and then nothing is visible of the entry. */
  put(key: string, body: Uint8Array, metadata: EntryMetadata, time: number): string {
    this.#tag();
    const digest = hash('sha512', body, 'buffer');
    const integrity = `sha512-${digest.toString('base64')}`;
    this.#writeContent(contentPath(this.#path, integrity), body);
    this.#append(key, { key, integrity, time, size: body.length, metadata });
    return integrity;
  }

  /** Makes the key absent for cacache's own readers: an entry without integrity shadows all before it. */
  remove(key: string, time: number): void {
    this.#append(key, { key, integrity: null, time });
  }

  #writeContent(path: string, body: Uint8Array): void {
    if (!this.#isThere(path, body)) this.#place(path, body);
    if (this.#durability === 'power') this.#settle(path);
  }

  #place(path: string, body: Uint8Array): void {
    const temporary = join(this.#path, 'tmp', randomUUID());
    try {
      this.#inFolder(temporary, () => this.#fs.writeFileSync(temporary, body, { flag: 'wx' }));
      this.#inFolder(path, () => this.#fs.renameSync(temporary, path));
    } catch (error) {
      this.#fs.rmSync(temporary, { force: true });
      throw error;
    }
  }

  /** Byte for byte: a power cut may leave a file of the right length whose bytes never reached the disk. */
  #isThere(path: string, body: Uint8Array): boolean {
    if (this.#fs.statSync(path, { throwIfNoEntry: false })?.size !== body.length) return false;
    return this.#fs.readFileSync(path).equals(body);
  }

  /** Makes a body and its name safe from a power cut: the file and its folder each time, the folders above once. */
  #settle(path: string): void {
    this.#fs.syncSync(path);
    let folder = dirname(path);
    this.#fs.syncSync(folder);
    while (folder !== this.#path && !this.#synced.has(folder)) {
      this.#synced.add(folder);
      folder = dirname(folder);
      this.#fs.syncSync(folder);
    }
  }

  /** One appended line: the digest of its JSON before it tells a torn line from a whole one. */
  #append(key: string, entry: object): void {
    const path = join(this.#path, 'index-v5', ...segments(hash('sha256', key)));
    const json = JSON.stringify(entry);
    this.#inFolder(path, () => this.#fs.appendFileSync(path, `\n${hash('sha1', json)}\t${json}`));
  }

  /** Makes the folder when it turns out to be missing: nearly always it is there. */
  #inFolder(path: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      this.#fs.mkdirSync(dirname(path), { recursive: true });
      work();
    }
  }

  /** Says once that this is a cache, for backup programs, as cacache does. */
  #tag(): void {
    if (this.#tagged) return;
    const path = join(this.#path, 'CACHEDIR.TAG');
    if (!this.#fs.statSync(path, { throwIfNoEntry: false })) this.#fs.writeFileSync(path, TAG, { flag: 'w' });
    this.#tagged = true;
  }
}

/** Where cacache keeps the bytes of an integrity string with one hash. */
export function contentPath(cachePath: string, integrity: string): string {
  const split = integrity.indexOf('-');
  const hex = Buffer.from(integrity.slice(split + 1), 'base64').toString('hex');
  return join(cachePath, 'content-v2', integrity.slice(0, split), ...segments(hex));
}

function segments(hex: string): [string, string, string] {
  return [hex.slice(0, 2), hex.slice(2, 4), hex.slice(4)];
}
