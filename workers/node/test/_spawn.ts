import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Child {
  pid: number;
  /** Resolves when the child has printed this line. */
  said(line: string): Promise<void>;
  say(line: string): void;
  kill(): void;
  ended: Promise<Ended>;
}

/** Runs a script of this directory in a process of its own; `under` is a command in front of it. */
export function run(script: string, args: readonly string[] = [], under: readonly string[] = []): Child {
  const [command, ...rest] = [...under, process.execPath, fileURLToPath(new URL(script, import.meta.url)), ...args] as [
    string,
    ...string[],
  ];
  const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  const waiting: { line: string; done: () => void }[] = [];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
    for (const each of waiting) if (stdout.split('\n').includes(each.line)) each.done();
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  return {
    pid: child.pid as number,
    said: (line) =>
      Promise.race([
        new Promise<void>((done) => {
          if (stdout.split('\n').includes(line)) done();
          else waiting.push({ line, done });
        }),
        ended.then(({ code }) => Promise.reject(new Error(`ended with ${code} without saying ${line}: ${stderr}`))),
      ]),
    say: (line) => child.stdin.write(`${line}\n`),
    kill: () => void child.kill('SIGKILL'),
    ended,
  };
}
