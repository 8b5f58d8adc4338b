/** @module The `_all_docs` command: reads flags, runs one command, ends with the exit code of section "exit codes" in the README. */
import { codeOf, messageOf } from '@_all_docs/worker';
import { CommanderError } from 'commander';
import { EXIT, exitCodeOf, Interruption } from './exit.js';
import type { Io } from './io.js';
import { createProgram } from './program.js';

const stop = new AbortController();
let caught: Interruption | undefined;
let caughtAt = 0;
/** Nobody presses a key again so soon. */
const SAME_SIGNAL_MS = 200;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (caught) {
      // The second time, whoever asks does not want to wait for a tidy end; what is stored is whole either way. One
      // Ctrl-C may come twice at once: from the terminal, and from a parent that hands it on.
      if (performance.now() - caughtAt > SAME_SIGNAL_MS) process.exit(caught.exitCode);
      return;
    }
    caught = new Interruption(signal);
    caughtAt = performance.now();
    stop.abort(caught);
  });
}
if (process.env['ALL_DOCS_LAUNCHED']) {
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.channel?.unref();
}
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // `_all_docs cache ls | head`: the reader has what it wanted.
  process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.failure);
});

const io: Io = {
  out: (text) => void process.stdout.write(text),
  write: (bytes) => new Promise((resolve) => process.stdout.write(bytes, () => resolve())),
  err: (text) => void process.stderr.write(text),
  terminal: canDraw(process.stderr) ? process.stderr : undefined,
  env: process.env,
  signal: stop.signal,
};

try {
  const program = await createProgram(io, process.argv.slice(2));
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
if (caught) process.exitCode = caught.exitCode;

function canDraw(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && stream.columns > 0 && !process.env['CI'] && process.env['TERM'] !== 'dumb';
}

/** One message with a code and a next step; gives the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.done;
    const isGroup = error.code === 'commander.help';
    const what = isGroup ? 'a command is missing' : error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
    say('ERR_USAGE', `${what}; see ${['_all_docs', ...(isGroup ? process.argv.slice(2) : [])].join(' ')} --help`);
    return EXIT.usage;
  }
  if (caught) return caught.exitCode;
  say(codeOf(error) ?? 'ERR_INTERNAL', messageOf(error));
  if (codeOf(error) === undefined && error instanceof Error) io.err(`${error.stack}\n`);
  return exitCodeOf(error);
}

function say(code: string, message: string): void {
  io.err(`error ${code}: ${message}\n`);
  if (process.argv.includes('--json')) io.out(`${JSON.stringify({ type: 'error', code, message })}\n`);
}
