import { hash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tree } from './state.ts';

/** What a driver that opens a replica may change without being asked to write: its databases and the temporary files. */
const CHANGES_BY_ITSELF = /^(index|lock)\.sqlite|^tmp(\/|$)/;

/**
 * A real directory that takes the form of one crash state after the other. Successive states share most of their files,
 * so only differences are written: buffers are never changed in place, hence the same buffer is the same content. What the
 * driver may have changed meanwhile is written anew each time, and what a check has written must be told with `touched`.
 */
export class Disk {
  readonly path: string;
  #present: Tree = new Map();
  #touched: string[] = [];

  constructor(path: string) {
    this.path = path;
    this.clear();
  }

  show(tree: Tree): void {
    for (const path of this.#touched) this.#remove(path);
    this.#touched = [];
    for (const name of readdirSync(this.path)) if (CHANGES_BY_ITSELF.test(name)) this.#remove(name);
    // Folders are removed with what is in them, so their names come before their contents'.
    for (const path of this.#present.keys()) {
      const isFile = this.#present.get(path) !== undefined;
      if (CHANGES_BY_ITSELF.test(path) || !tree.has(path) || (tree.get(path) !== undefined) !== isFile)
        this.#remove(path);
      else if (isFile && !existsSync(join(this.path, path))) this.#present.delete(path);
    }
    for (const [path, content] of [...tree].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (this.#present.has(path) && this.#present.get(path) === content) continue;
      const real = join(this.path, path);
      if (content === undefined) mkdirSync(real, { recursive: true });
      else writeFileSync(real, content);
      this.#present.set(path, content);
    }
  }

  /** Says that cacache was asked to store this: these files are not the state's any more. */
  touched(key: string, body: Uint8Array): void {
    // The layout of cacache's folders, as its own versioned names promise it.
    const bucket = hash('sha256', key);
    const content = hash('sha512', body);
    this.#touched.push(
      'CACHEDIR.TAG',
      join('index-v5', bucket.slice(0, 2), bucket.slice(2, 4), bucket.slice(4)),
      join('content-v2', 'sha512', content.slice(0, 2), content.slice(2, 4), content.slice(4)),
    );
  }

  /** Throws when the directory is not exactly what the last state was, the driver's own changes aside. */
  assertShown(tree: Tree): void {
    const files = readdirSync(this.path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.path.length + 1));
    const wanted = [...tree].filter(([, content]) => content !== undefined);
    const wrong = wanted.filter(([path, content]) => !content?.equals(readFileSync(join(this.path, path))));
    if (wrong.length > 0 || files.length !== wanted.length)
      throw new Error(`the directory is not the state to be checked: ${wrong[0]?.[0] ?? 'files too many'}`);
  }

  clear(): void {
    rmSync(this.path, { recursive: true, force: true });
    mkdirSync(this.path, { recursive: true });
    this.#present = new Map();
  }

  #remove(path: string): void {
    rmSync(join(this.path, path), { recursive: true, force: true });
    this.#present.delete(path);
  }
}
