import type { BlobFileSystem, Handle } from './blob-file-system.js';
import type { Durability } from './sqlite-file.js';
import { writeError } from './storage-errors.js';

/** A file that has no blob's name yet. */
export class TemporaryFile {
  readonly path: string;
  readonly #fs: BlobFileSystem;
  readonly #handle: Handle;

  constructor(path: string, files: BlobFileSystem, handle: Handle) {
    this.path = path;
    this.#fs = files;
    this.#handle = handle;
  }

  async write(pieces: Uint8Array[]): Promise<void> {
    let left = notEmpty(pieces);
    try {
      while (left.length > 0) {
        const { bytesWritten } = await this.#handle.writev(left);
        left = without(left, bytesWritten);
      }
    } catch (error) {
      throw writeError('a blob', error);
    }
  }

  async close(durability: Durability): Promise<void> {
    try {
      if (durability === 'power') await this.#handle.sync();
      await this.#handle.close();
    } catch (error) {
      throw writeError('a blob', error);
    }
  }

  async remove(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
    this.#fs.rmSync(this.path, { force: true });
  }
}

/** Calls that write many pieces take none that are empty. */
export function notEmpty(pieces: readonly Uint8Array[]): Uint8Array[] {
  return pieces.filter(({ length }) => length > 0);
}

/** What is left to write after so many bytes. */
export function without(pieces: readonly Uint8Array[], written: number): Uint8Array[] {
  let done = written;
  return pieces.flatMap((piece) => {
    const skip = Math.min(done, piece.length);
    done -= skip;
    return skip === piece.length ? [] : [piece.subarray(skip)];
  });
}
