import { readFileSync } from 'node:fs';

/**
 * Most bytes of this process that were in memory at once. Linux tells of the program alone (proc_pid_status(5), `VmHWM`);
 * what every platform counts (getrusage(2), `ru_maxrss`) begins, in a child, with what its parent had.
 */
export function peakResidentBytes(): number {
  try {
    const [, kib] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1')) ?? [];
    if (kib !== undefined) return Number(kib) * 1024;
  } catch {
    // Not Linux.
  }
  return process.resourceUsage().maxRSS * 1024;
}
