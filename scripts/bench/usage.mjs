// Preloaded into each measured process: reports its CPU time and peak memory when it ends, whatever it ran.
import { readFileSync, writeFileSync } from 'node:fs';

process.on('exit', () => {
  const file = process.env.BENCH_USAGE;
  if (!file) return;
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  writeFileSync(file, JSON.stringify({ cpuMicros: userCPUTime + systemCPUTime, maxRssKiB: peakKiB() }));
});

/** What `resourceUsage` says of memory begins with what the parent had (getrusage(2)); `VmHWM` is of this program alone. */
function peakKiB() {
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))[1]);
}
