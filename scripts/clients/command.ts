/** The command of this checkout, for scripts that use it as a user does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';

const COMMAND = 'node_modules/@_all_docs/cli/bin/_all_docs.js';

/** Runs it to its end; gives its events and its exit code. */
export async function run(...args: string[]): Promise<{ code: number; events: Record<string, unknown>[] }> {
  const child = spawn(process.execPath, [COMMAND, ...args, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [out, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  const lines = out.split('\n').filter((line) => line !== '');
  return { code: Number(code), events: lines.map((line) => JSON.parse(line)) };
}

/** A server over a replica, on a free port. */
export async function serve(cache: string, ...flags: string[]) {
  const args = [COMMAND, 'serve', '--cache', cache, '--listen', '127.0.0.1:0', '--json', ...flags];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const base = await listening(child);
  return {
    base,
    url: `${base}/npm/`,
    async stop() {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}

async function listening(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    const event = JSON.parse(line) as { type: string; url: string };
    if (event.type === 'listening') return event.url.replace(/\/$/, '');
  }
  throw new Error('the server did not start');
}
