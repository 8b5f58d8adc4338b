// Preloaded into each measured process: reports its CPU time and peak memory when it ends, whatever it ran.
import { writeFileSync } from 'node:fs';

process.on('exit', () => {
  const file = process.env.BENCH_USAGE;
  if (!file) return;
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  writeFileSync(file, JSON.stringify({ cpuMicros: userCPUTime + systemCPUTime, maxRssKiB: maxRSS }));
});
