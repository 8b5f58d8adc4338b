import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface DirectorySize {
  /** What the file system has set aside, as `du` counts it: whole blocks, folders included. */
  bytes: number;
  files: number;
}

/** What a directory takes on its disk. What goes away while it is counted counts nothing. */
export async function directorySize(path: string): Promise<DirectorySize> {
  const total = { bytes: await allocated(path), files: 0 };
  const folders = [path];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const sizes: Promise<number>[] = [];
    for (const entry of await entriesOf(folder)) {
      const child = join(folder, entry.name);
      if (entry.isDirectory()) folders.push(child);
      else total.files += 1;
      sizes.push(allocated(child));
    }
    for (const size of await Promise.all(sizes)) total.bytes += size;
  }
  return total;
}

async function entriesOf(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function allocated(path: string): Promise<number> {
  try {
    const { blocks, size } = await lstat(path);
    // Windows counts no blocks.
    return blocks ? blocks * 512 : size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}
