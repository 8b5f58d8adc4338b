import fs from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { nodeFileSystem } from './file-system.js';

/** An open file, as far as large blobs need one. */
export type Handle = Pick<FileHandle, 'read' | 'writev' | 'sync' | 'close'>;

/** The file calls on the way of a blob. */
export type BlobFileSystem = Pick<
  typeof fs,
  | 'closeSync'
  | 'fstatSync'
  | 'linkSync'
  | 'mkdirSync'
  | 'openSync'
  | 'readdirSync'
  | 'readFileSync'
  | 'readSync'
  | 'renameSync'
  | 'rmSync'
  | 'statSync'
  | 'utimesSync'
  | 'writevSync'
> & {
  open(path: string, flags: 'r' | 'wx'): Promise<Handle>;
  /** Waits until a file's content, or a folder's names, are on the disk. */
  syncSync(path: string): void;
};

export const nodeBlobFileSystem: BlobFileSystem = {
  closeSync: fs.closeSync,
  fstatSync: fs.fstatSync,
  linkSync: fs.linkSync,
  mkdirSync: fs.mkdirSync,
  openSync: fs.openSync,
  readdirSync: fs.readdirSync,
  readFileSync: fs.readFileSync,
  readSync: fs.readSync,
  renameSync: fs.renameSync,
  rmSync: fs.rmSync,
  statSync: fs.statSync,
  utimesSync: fs.utimesSync,
  writevSync: fs.writevSync,
  open,
  syncSync: nodeFileSystem.syncSync,
};
