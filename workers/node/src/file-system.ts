import { mkdir, readdir, rm } from 'node:fs/promises';

/** The file calls that this package makes by itself; what cacache and SQLite do is theirs. */
export interface FileSystem {
  mkdir(path: string, options: { recursive: true }): Promise<unknown>;
  readdir(path: string): Promise<string[]>;
  rm(path: string, options: { recursive: true; force: true }): Promise<void>;
}

export const nodeFileSystem: FileSystem = { mkdir, readdir, rm };
