import { execFileSync } from 'node:child_process';
import { temporaryDirectory } from './_directory.ts';

/** A file system of 3 MB in memory. */
export interface SmallDisk {
  path: string;
  /** Why there is none; tests of it are to be skipped then, and that is printed. */
  missing: string | undefined;
  unmount(): void;
}

export async function mountSmallDisk(): Promise<SmallDisk> {
  const path = await temporaryDirectory();
  const missing = mount(path);
  if (missing !== undefined) console.log(`full disk: skipped, ${missing}`);
  return { path, missing, unmount: () => void execFileSync('umount', [path]) };
}

/** Why it cannot be had. */
function mount(path: string): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'only root on Linux can mount a small file system';
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', path], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `no small file system here: ${(error as Error).message.split('\n')[0]}`;
  }
}
