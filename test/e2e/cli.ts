import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { afterAll } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const BIN_DIRECTORY = join(ROOT, 'node_modules', '.bin');
/** The command as a user calls it. */
export const COMMAND: string = join(BIN_DIRECTORY, '_all_docs');
/** A command that hangs is a failed test, not a hung suite. */
const LONGEST_MS = 150_000;

/** One line of NDJSON. */
// biome-ignore lint/suspicious/noExplicitAny: each type of event has fields of its own
export type CliEvent = { type: string } & Record<string, any>;

export interface CliRun {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** The lines of stdout that are JSON objects. */
  events: CliEvent[];
}

export interface CliOptions {
  input?: string;
  /** Added to a small environment of our own; the caller's is not inherited. */
  env?: Record<string, string>;
  cwd?: string;
  /** Sends `signal` (SIGTERM unless told) after so long. */
  killAfterMs?: number;
  signal?: NodeJS.Signals;
  /** Another program than the command, e.g. a shell around it. */
  program?: string;
  /** The user to run as; needs to be root. */
  uid?: number;
}

export interface RunningCli {
  child: ChildProcess;
  done: Promise<CliRun>;
  kill(signal: NodeJS.Signals): void;
  /** What it has printed so far. */
  printed(): { stdout: string; stderr: string };
}

const directories = new Set<string>();
const children = new Set<ChildProcess>();

/** A replica of 25,000 documents is 100,000 files and folders: on a busy disk a minute was not enough. */
const LONGEST_CLEARING_MS = 600_000;

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const directory of directories) await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  directories.clear();
}, LONGEST_CLEARING_MS);

/** A directory of its own, removed when the file's tests are over. */
export function tempDir(): string {
  const directory = mkdtempSync(join(tmpdir(), 'all-docs-e2e-'));
  directories.add(directory);
  return directory;
}

/** A file in a directory of its own; gives its path. */
export function tempFile(name: string, text: string): string {
  const path = join(tempDir(), name);
  writeFileSync(path, text);
  return path;
}

/** Runs the command to its end. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  return startCli(args, options).done;
}

/** Starts the command, for tests that meet it while it works. */
export function startCli(args: readonly string[], options: CliOptions = {}): RunningCli {
  const { cwd, input, killAfterMs, signal = 'SIGTERM', program = COMMAND, uid } = options;
  const child = spawn(program, args, {
    cwd: cwd ?? tempDir(),
    env: { ...environment(), ...options.env },
    stdio: 'pipe',
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  children.add(child);
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      said[stream] += text;
    });
  }
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const timers = [setTimeout(() => child.kill('SIGKILL'), LONGEST_MS)];
  if (killAfterMs !== undefined) timers.push(setTimeout(() => child.kill(signal), killAfterMs));
  const done = new Promise<CliRun>((settle, reject) => {
    child.once('error', reject);
    child.once('close', (code, endedBy) => {
      children.delete(child);
      timers.forEach(clearTimeout);
      settle({ code, signal: endedBy, ...said, events: parseEvents(said.stdout) });
    });
  });
  return { child, done, kill: (wanted) => void child.kill(wanted), printed: () => ({ ...said }) };
}

/** Small and the same everywhere: no proxies, no configuration of npm's, and a registry that nobody answers for. */
function environment(): Record<string, string> {
  return {
    PATH: [BIN_DIRECTORY, process.env['PATH']].join(delimiter),
    HOME: tempDir(),
    LANG: 'C.UTF-8',
    npm_config_registry: 'http://127.0.0.1:9',
  };
}

function parseEvents(text: string): CliEvent[] {
  return text.split('\n').flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line);
      return typeof value === 'object' && value !== null && 'type' in value ? [value as CliEvent] : [];
    } catch {
      return [];
    }
  });
}

/** The one event of that type; fails when there is none or more. */
export function only(run: CliRun, type: string): CliEvent {
  const [event, ...more] = run.events.filter((event) => event.type === type);
  if (!event || more.length > 0) {
    throw new Error(
      `${more.length + (event ? 1 : 0)} events of type ${type}\nexit ${run.code}\n${run.stdout.slice(-2000)}\n${run.stderr.slice(-2000)}`,
    );
  }
  return event;
}

/** Waits until something holds, looking often; fails after a while. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, mostMs = 30_000): Promise<void> {
  const end = Date.now() + mostMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited ${mostMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
