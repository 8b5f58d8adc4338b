import { CacheError } from '@_all_docs/cache';
import { assertRange, type BlobBackend, type BlobStat, type ByteRange, ContentError } from '@_all_docs/content';
import { randomUUID } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { type BlobFileSystem, type Handle, nodeBlobFileSystem } from './blob-file-system.js';
import type { Durability } from './sqlite-file.js';
import { readError, writeError } from './storage-errors.js';
import { notEmpty, TemporaryFile, without } from './temporary-file.js';

export interface FsBlobBackendOptions {
  /** Another way to files, for tests. */
  fs?: Partial<BlobFileSystem> | undefined;
  /** What a resolved write survives; `process` unless told. */
  durability?: Durability | undefined;
}

/** Up to this a blob is written and read by synchronous calls: a trip through the thread pool costs more than they do. */
const SMALL_BYTES = 256 * 1024;
const PATH = /^blobs(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/;

/**
 * Blobs as files below `blobs/` of a replica's directory. A blob is written under a temporary name in `tmp/`, which is
 * on the same file system, and renamed when it is whole. What a dead process leaves there is cleared when the directory
 * is opened by somebody who is alone in it, as `openCacheDirectory` does.
 */
export class FsBlobBackend implements BlobBackend {
  readonly #root: string;
  readonly #fs: BlobFileSystem;
  readonly #durability: Durability;
  /** Folders whose names are safe from a power cut. */
  readonly #synced = new Set<string>();

  constructor(root: string, { durability = 'process', fs: given }: FsBlobBackendOptions = {}) {
    this.#root = resolve(root);
    this.#fs = { ...nodeBlobFileSystem, ...given };
    this.#durability = durability;
  }

  async read(path: string, range?: ByteRange): Promise<AsyncIterable<Uint8Array> | undefined> {
    const file = this.#file(path);
    const found = this.#readSmall(path, file, range);
    if (!found) return undefined;
    if (found instanceof Uint8Array) return once(found);
    return this.#readLarge(path, file, found);
  }

  async write(path: string | (() => string | Promise<string>), source: AsyncIterable<Uint8Array>): Promise<void> {
    let pieces: Uint8Array[] = [];
    let length = 0;
    let large: TemporaryFile | undefined;
    try {
      for await (const bytes of source) {
        pieces.push(bytes);
        length += bytes.length;
        if (length <= SMALL_BYTES) continue;
        large ??= await this.#temporaryFile();
        await large.write(pieces);
        pieces = [];
        length = 0;
      }
      const name = typeof path === 'string' ? path : await path();
      const file = this.#file(name);
      if (!large) return this.#place(name, file, pieces, length);
      await large.write(pieces);
      await large.close(this.#durability);
      this.#rename(name, large.path, file);
    } catch (error) {
      await large?.remove();
      throw error;
    }
  }

  /**
   * Gives a blob of another directory the same name here, without copying it; in place of whatever lies under that name.
   * `false` where the file systems do not allow that, or there is no such blob. The caller knows that it is whole.
   */
  link(path: string, from: FsBlobBackend): boolean {
    const temporary = this.#temporary();
    try {
      this.#inFolder(temporary, () => this.#fs.linkSync(from.#file(path), temporary));
    } catch {
      // Another file system, or one without links, or too many of them: whoever copies then is told of any other trouble.
      return false;
    }
    this.#rename(path, temporary, this.#file(path));
    // Renaming a file over another name of its own does nothing.
    this.#fs.rmSync(temporary, { force: true });
    return true;
  }

  async stat(path: string): Promise<BlobStat | undefined> {
    return this.#statFile(path, this.#file(path));
  }

  async *list(prefix: string): AsyncIterable<string> {
    yield* this.#walk('blobs', prefix);
  }

  async delete(path: string): Promise<void> {
    const file = this.#file(path);
    try {
      this.#fs.rmSync(file, { force: true });
    } catch (error) {
      throw writeError(path, error);
    }
  }

  /** A blob that is small: written at once, unless it is there already. */
  #place(path: string, file: string, pieces: readonly Uint8Array[], length: number): void {
    const temporary = this.#temporary();
    try {
      if (this.#holds(file, pieces, length)) {
        const now = new Date();
        this.#fs.utimesSync(file, now, now);
        if (this.#durability === 'power') this.#settle(file);
        return;
      }
      this.#inFolder(temporary, () => this.#writeSmall(temporary, pieces));
      if (this.#durability === 'power') this.#fs.syncSync(temporary);
    } catch (error) {
      this.#fs.rmSync(temporary, { force: true });
      throw writeError(path, error);
    }
    this.#rename(path, temporary, file);
  }

  /** Whether a file has these very bytes. */
  #holds(file: string, pieces: readonly Uint8Array[], length: number): boolean {
    if (this.#fs.statSync(file, { throwIfNoEntry: false })?.size !== length) return false;
    return this.#fs.readFileSync(file).equals(Buffer.concat(pieces, length));
  }

  #writeSmall(file: string, pieces: readonly Uint8Array[]): void {
    const descriptor = this.#fs.openSync(file, 'wx');
    try {
      let left = notEmpty(pieces);
      while (left.length > 0) left = without(left, this.#fs.writevSync(descriptor, left));
    } finally {
      this.#fs.closeSync(descriptor);
    }
  }

  #rename(path: string, temporary: string, file: string): void {
    try {
      this.#inFolder(file, () => this.#fs.renameSync(temporary, file));
      if (this.#durability === 'power') this.#settle(file);
    } catch (error) {
      this.#fs.rmSync(temporary, { force: true });
      throw writeError(path, error);
    }
  }

  /** Makes a name safe from a power cut: its folder each time, the folders above once. */
  #settle(file: string): void {
    let folder = dirname(file);
    this.#fs.syncSync(folder);
    while (folder !== this.#root && !this.#synced.has(folder)) {
      this.#synced.add(folder);
      folder = dirname(folder);
      this.#fs.syncSync(folder);
    }
  }

  async #temporaryFile(): Promise<TemporaryFile> {
    const path = this.#temporary();
    try {
      this.#fs.mkdirSync(dirname(path), { recursive: true });
      return new TemporaryFile(path, this.#fs, await this.#fs.open(path, 'wx'));
    } catch (error) {
      throw writeError(path, error);
    }
  }

  *#walk(folder: string, prefix: string): Iterable<string> {
    // A folder's name sorts as its paths do: with the slash behind it.
    const entries = this.#entriesOf(`${this.#root}/${folder}`).map((entry) =>
      entry.isDirectory() ? `${folder}/${entry.name}/` : `${folder}/${entry.name}`,
    );
    for (const path of entries.sort()) {
      if (!path.endsWith('/')) {
        if (path.startsWith(prefix)) yield path;
      } else if (path.startsWith(prefix) || prefix.startsWith(path)) yield* this.#walk(path.slice(0, -1), prefix);
    }
  }

  /** Where a blob lies. `ERR_BAD_KEY` for a path that could lead elsewhere. */
  #file(path: string): string {
    if (!PATH.test(path)) throw new CacheError('ERR_BAD_KEY', `not a blob's path: ${JSON.stringify(path)}`);
    return `${this.#root}/${path}`;
  }

  #temporary(): string {
    return `${this.#root}/tmp/${randomUUID()}`;
  }

  #statFile(path: string, file: string): BlobStat | undefined {
    try {
      const stat = this.#fs.statSync(file, { throwIfNoEntry: false });
      return stat?.isFile() ? { size: stat.size, modifiedAt: stat.mtimeMs } : undefined;
    } catch (error) {
      throw readError(path, error);
    }
  }

  /** The bytes, or where they are when they are many; `undefined` when there is no such file. */
  #readSmall(path: string, file: string, range: ByteRange | undefined): Uint8Array | ByteRange | undefined {
    let descriptor: number | undefined;
    try {
      descriptor = this.#fs.openSync(file, 'r');
      const stat = this.#fs.fstatSync(descriptor);
      if (!stat.isFile()) return undefined;
      const { start, end } = range ?? { start: 0, end: stat.size };
      assertRange({ start, end }, stat.size);
      if (end - start > SMALL_BYTES) return { start, end };
      const bytes = Buffer.allocUnsafeSlow(end - start);
      for (let at = 0; at < bytes.length; ) {
        const read = this.#fs.readSync(descriptor, bytes, at, bytes.length - at, start + at);
        if (read === 0) throw new Error(`it ends at ${start + at} bytes`);
        at += read;
      }
      return bytes;
    } catch (error) {
      if (error instanceof ContentError) throw error;
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw readError(path, error);
    } finally {
      if (descriptor !== undefined) this.#fs.closeSync(descriptor);
    }
  }

  async *#readLarge(path: string, file: string, { start, end }: ByteRange): AsyncIterable<Uint8Array> {
    let handle: Handle | undefined;
    try {
      handle = await this.#fs.open(file, 'r');
      for (let at = start; at < end; ) {
        const piece = Buffer.allocUnsafeSlow(Math.min(SMALL_BYTES, end - at));
        const { bytesRead } = await handle.read(piece, 0, piece.length, at);
        if (bytesRead === 0) throw new Error(`it ends at ${at} bytes`);
        at += bytesRead;
        yield piece.subarray(0, bytesRead);
      }
    } catch (error) {
      throw readError(path, error);
    } finally {
      await handle?.close();
    }
  }

  #entriesOf(folder: string) {
    try {
      return this.#fs.readdirSync(folder, { withFileTypes: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw readError(folder, error);
    }
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
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}
