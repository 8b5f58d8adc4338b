/** What a path is: a file's bytes, or `undefined` for a directory. Bytes are never changed in place: the same buffer is the same content. */
export type Tree = Map<string, Buffer | undefined>;

/** What a crash may leave of a recording, and what was known at that moment. */
export interface CrashState {
  /** Seed of the workload. */
  round: number;
  /** Events that had happened: those before this place. */
  position: number;
  kind: string;
  /** Which of several states of this kind at this place. */
  sample: number;
  /** Its files; to be asked for before the next state is. */
  tree(): Tree;
}

export const EMPTY = Buffer.alloc(0);

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

/** `content` with `data` over it from `offset` on; a gap before it reads as zeros. */
export function overlay(content: Buffer, offset: number, data: Buffer): Buffer {
  if (data.length === 0) return content;
  const changed = Buffer.alloc(Math.max(content.length, offset + data.length));
  content.copy(changed);
  data.copy(changed, offset);
  return changed;
}

export function resize(content: Buffer, size: number): Buffer {
  if (size <= content.length) return content.subarray(0, size);
  return Buffer.concat([content, Buffer.alloc(size - content.length)]);
}

/** The files of some names, without those whose directory is not there. */
export function treeOf(names: ReadonlyMap<string, number>, contentOf: (inode: number) => Buffer): Tree {
  const tree: Tree = new Map();
  const isThere = (path: string): boolean => path === '' || (names.get(path) === DIRECTORY && isThere(parentOf(path)));
  for (const [path, inode] of names) {
    if (isThere(parentOf(path))) tree.set(path, inode === DIRECTORY ? undefined : contentOf(inode));
  }
  return tree;
}

/** In place of an inode. */
export const DIRECTORY = 0;
