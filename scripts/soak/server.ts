import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

export const COMMAND = 'node_modules/@_all_docs/cli/bin/_all_docs.js';

/** Lives of `serve --follow`, one after another: each is killed with SIGKILL, the next begins at once. */
export class Lives {
  /** Where it listens; `undefined` between two lives. */
  url: string | undefined;
  kills = 0;
  readonly #args: string[];
  #child: ChildProcess | undefined;

  constructor(args: string[]) {
    this.#args = args;
  }

  async begin(): Promise<void> {
    const child = spawn(process.execPath, [COMMAND, 'serve', '--json', '--listen', '127.0.0.1:0', ...this.#args], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.#child = child;
    for await (const line of createInterface({ input: child.stdout })) {
      this.url = JSON.parse(line).url;
      child.stdout.resume();
      return;
    }
    throw new Error('the server ended without a word');
  }

  /** Kills it after so long, and begins the next life. */
  async renew(afterMs: number): Promise<void> {
    await pause(afterMs);
    await this.end('SIGKILL');
    this.kills += 1;
    await this.begin();
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.url = undefined;
    if (this.#child?.exitCode !== null) throw new Error('the server ended by itself');
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    await ended;
  }
}

/** Runs the command to its end: its exit code, and the last event that it told. */
// biome-ignore lint/suspicious/noExplicitAny: each type of event has fields of its own
export async function run(args: string[]): Promise<{ code: number | null; last: any }> {
  const child = spawn(process.execPath, [COMMAND, ...args, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  let last = '{}';
  for await (const line of createInterface({ input: child.stdout })) last = line;
  const [code] = await ended;
  return { code, last: JSON.parse(last) };
}
