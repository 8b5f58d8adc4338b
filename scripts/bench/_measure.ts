/** What the benchmarks share: a fake origin beside the measured processes, what a process used, and the spread of numbers. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';

/** What a process used from its start to its end, its threads included. */
export interface Usage {
  cpuMicros: number;
  maxRssKiB: number;
}

export interface Origin {
  url: string;
  /** Ends the process. */
  stop(): void;
}

/** Starts the fake origin (flags as its main.ts has them) on a free port, as a process of its own: its CPU and memory are not counted. */
export async function startOrigin(...flags: string[]): Promise<Origin> {
  const child = spawn(process.execPath, ['test/fake-origin/main.ts', '--port', '0', ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout }))
    return { url: JSON.parse(line).url, stop: () => void child.kill('SIGTERM') };
  throw new Error('the fake origin did not start');
}

/** Runs `node …args` to its end and gives what it used and printed; an exit code other than 0 is an error. */
export async function measure(args: string[]): Promise<Usage & { stdout: string }> {
  const work = mkdtempSync(join(tmpdir(), 'all-docs-usage-'));
  const usage = join(work, 'usage.json');
  const env = { ...process.env, BENCH_USAGE: usage, NODE_OPTIONS: `--import=${new URL('usage.mjs', import.meta.url)}` };
  try {
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const [stdout, said, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
    if (code !== 0) throw new Error(`${args[0]} ended with ${code}:\n${said}`);
    return { ...(JSON.parse(readFileSync(usage, 'utf8')) as Usage), stdout };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** `median [min-max]`, with so many digits after the point. */
export function spread(numbers: readonly number[], digits = 0): string {
  const sorted = numbers.toSorted((a, b) => a - b);
  const at = (i: number) => (sorted[i] ?? Number.NaN).toFixed(digits);
  return `${at(Math.floor(sorted.length / 2))} [${at(0)}-${at(sorted.length - 1)}]`;
}
