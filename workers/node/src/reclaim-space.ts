import { prefixRange } from '@_all_docs/cache';
import { rmSync, statSync } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { ENTRY } from './cache-directory.js';
import type { DirectoryDriver } from './directory-driver.js';
import type { SqliteFile } from './sqlite-file.js';
import { writeError } from './storage-errors.js';

/** Bodies that are younger may be on their way to a row. */
const GRACE_MS = 1_000;

/**
 * Gives room back to the disk that removed entries took: the bodies that no row refers to, where they lie in cacache's
 * folders, and the free pages of the index file. May run beside other processes; should one of them store the very bytes
 * of a removed entry at that moment, its row is a counted miss later. Rejects with `ERR_STORAGE_WRITE`.
 */
export async function reclaimSpace(storage: DirectoryDriver, now: number): Promise<void> {
  const { file } = await storage.openDirectory();
  if (storage.kind === 'cacache') await removeBodies(storage.cachePath, file, now - GRACE_MS);
  compact(file);
}

/** What is referred to is looked up in a table of its own on the disk: memory does not grow with the replica. */
async function removeBodies(cachePath: string, { database }: SqliteFile, before: number): Promise<void> {
  const root = join(cachePath, 'content-v2');
  const { start, end } = prefixRange(ENTRY);
  database.exec('CREATE TEMP TABLE bodies (integrity TEXT PRIMARY KEY) WITHOUT ROWID');
  try {
    database
      .prepare("INSERT OR IGNORE INTO bodies SELECT value ->> 'integrity' FROM rows WHERE key >= ? AND key < ?")
      .run(start as string, end as string);
    const known = database.prepare('SELECT 1 FROM bodies WHERE integrity = ?');
    for await (const path of filesIn(root)) {
      if (known.get(integrityOf(relative(root, path)))) continue;
      if ((statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? before) < before) rmSync(path, { force: true });
    }
  } catch (error) {
    throw writeError(root, error);
  } finally {
    database.exec('DROP TABLE bodies');
  }
}

async function* filesIn(folder: string): AsyncIterable<string> {
  let entries: Awaited<ReturnType<typeof opendir>>;
  try {
    entries = await opendir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  for await (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesIn(path);
    else yield path;
  }
}

/** `sha512/ab/cd/ef…` as the integrity string that cacache made it of. */
function integrityOf(path: string): string {
  const [algorithm, ...hex] = path.split(sep);
  return `${algorithm}-${Buffer.from(hex.join(''), 'hex').toString('base64')}`;
}

/** Where half of the file is free; while others read or write there, its pages are used again instead. */
function compact({ database }: SqliteFile): void {
  const count = (pragma: string) => Number(Object.values(database.prepare(`PRAGMA ${pragma}`).get() ?? {})[0]);
  if (count('freelist_count') * 2 < count('page_count')) return;
  try {
    database.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE);');
  } catch {
    // Only room is lost.
  }
}
