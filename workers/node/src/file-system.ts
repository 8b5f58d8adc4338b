import {
  appendFileSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';

/** The file calls on the way of a stored body; synchronous, since a trip through the thread pool costs more than the call. */
export interface SyncFileSystem {
  mkdirSync(path: string, options: { recursive: true }): unknown;
  statSync(path: string, options: { throwIfNoEntry: false }): { size: number } | undefined;
  writeFileSync(path: string, data: Uint8Array | string, options: { flag: 'w' | 'wx' }): void;
  readFileSync(path: string): Buffer;
  /** Waits until a file's content, or a folder's names, are on the disk. */
  syncSync(path: string): void;
  appendFileSync(path: string, data: string): void;
  renameSync(from: string, to: string): void;
  rmSync(path: string, options: { force: true }): void;
}

/** The file calls that this package makes by itself; what cacache and SQLite do is theirs. */
export interface FileSystem extends SyncFileSystem {
  mkdir(path: string, options: { recursive: true }): Promise<unknown>;
  readdir(path: string): Promise<string[]>;
  readFile(path: string): Promise<Buffer>;
  rm(path: string, options: { recursive: true; force: true }): Promise<void>;
}

export const nodeFileSystem: FileSystem = {
  mkdir,
  readdir,
  readFile,
  rm,
  mkdirSync,
  statSync,
  writeFileSync,
  appendFileSync,
  renameSync,
  rmSync,
  readFileSync,
  syncSync,
};

function syncSync(path: string): void {
  const isFolder = statSync(path).isDirectory();
  // Windows opens no folders; its file system keeps names in a journal.
  if (isFolder && process.platform === 'win32') return;
  const file = openSync(path, isFolder ? 'r' : 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
