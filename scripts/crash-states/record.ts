import type { Durability, StoreKind } from '@_all_docs/worker-node';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseTrace, type Recording } from './trace.ts';

/** Every call that could change a file or say that it is safe; one that the model does not know must fail, not pass unseen. */
const CALLS = [
  'openat,open,creat,close,dup,dup2,dup3,lseek,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate',
  'rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,symlink,symlinkat',
  'fsync,fdatasync,sync_file_range,msync,copy_file_range,sendfile,splice',
].join(',');
/** More than any buffer that a workload writes at once. */
const LONGEST = 1_000_000;

export interface Workload {
  store: StoreKind;
  durability: Durability;
  seed: number;
  steps: number;
}

/** Whether strace is there and may trace. */
export function canRecord(): boolean {
  const { status } = spawnSync('strace', ['-o', '/dev/null', '-e', 'trace=none', process.execPath, '--version']);
  return status === 0;
}

/** Runs a workload in a process of its own under strace; gives the text of the trace. */
export function recordTrace({ store, durability, seed, steps }: Workload, scratch: string): string {
  const place = mkdtempSync(join(scratch, 'record-'));
  try {
    const directory = join(place, 'replica');
    mkdirSync(directory);
    const output = join(place, 'trace');
    const workload = join(import.meta.dirname, 'workload.ts');
    const { status, stderr } = spawnSync(
      'strace',
      ['-f', '-xx', '-s', String(LONGEST), '-o', output, '-e', `trace=${CALLS}`, process.execPath, workload].concat([
        store,
        durability,
        String(seed),
        String(steps),
        directory,
        join(place, 'notes'),
      ]),
      // One thread beside the main one, and no ring of calls that strace cannot see.
      { env: { ...process.env, UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' }, encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(`the workload ended with ${status}: ${stderr.slice(-2_000)}`);
    return readFileSync(output, 'utf8').replaceAll(hexOf(place), ROOT);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** What stands for the workload's folder in a saved trace. */
const ROOT = hexOf('/recorded');

export function readTrace(text: string): Recording {
  return parseTrace(text, '/recorded/replica', '/recorded/notes');
}

function hexOf(text: string): string {
  return [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
}
