import type { RunningServer, ServeOptions } from '@_all_docs/worker-node/serve';
import { once } from 'node:events';
import { Command, Option } from 'commander';
import { CliError, EXIT, Interruption } from '../exit.js';
import type { Io } from '../io.js';
import {
  cacheOption,
  formOption,
  jsonOption,
  originOption,
  registryOption,
  storageOptions,
  wholeNumber,
} from '../options.js';
import { parseDuration, parseSize } from '../units.js';
import { type FollowFlags, followOptions } from './follow.js';

interface Flags
  extends Omit<ServeOptions, 'cache' | 'maxBytes' | 'ttlMs' | 'limits' | 'drainMs' | 'follow'>,
    FollowFlags {
  follow?: boolean;
  cache?: string;
  maxSize?: number;
  ttl?: number;
  drain?: number;
  json?: boolean;
}

export function serveCommand(io: Io): Command {
  const command = new Command('serve')
    .description('Serve the replica to npm, pnpm, yarn and bun; what is missing is fetched, checked and kept')
    .addOption(cacheOption())
    .addOption(
      new Option('--listen <address>', 'HOST:PORT, or :PORT for every interface; port 0 takes a free one')
        .env('ALL_DOCS_LISTEN')
        .default('127.0.0.1:8080'),
    )
    .addOption(registryOption())
    .addOption(originOption())
    .addOption(formOption().env('ALL_DOCS_FORM'))
    .addOption(new Option('--follow', 'follow the feed meanwhile, as the follow command does').env('ALL_DOCS_FOLLOW'))
    .addOption(new Option('--offline', 'never ask the registry').env('ALL_DOCS_OFFLINE'))
    .addOption(
      new Option('--public-url <url>', "where clients reach this server (default: each request's Host header)").env(
        'ALL_DOCS_PUBLIC_URL',
      ),
    )
    .addOption(
      new Option(
        '--tarball-host <host>',
        "whose tarball URLs documents carry: ours, the origin's, or as the client needs them",
      )
        .env('ALL_DOCS_TARBALL_HOST')
        .choices(['auto', 'self', 'origin']),
    )
    .addOption(
      new Option(
        '--storage <place>',
        "directory or s3:// or gs:// bucket of the blobs (default: the replica's directory)",
      )
        .env('ALL_DOCS_STORAGE')
        .argParser(place),
    )
    .addOption(
      new Option('--max-size <size>', 'most that is kept of what was fetched for clients')
        .env('ALL_DOCS_MAX_SIZE')
        .argParser(parseSize)
        .default(10e9, '10GB'),
    )
    .addOption(
      new Option('--ttl <duration>', 'how long it is kept when nobody asks for it')
        .env('ALL_DOCS_TTL')
        .argParser(parseDuration)
        .default(parseDuration('168h'), '168h'),
    )
    .addOption(
      new Option('--eviction <policy>', 'what goes first when there is too much')
        .env('ALL_DOCS_EVICTION')
        .choices(['s3fifo', 'lru'])
        .default('s3fifo'),
    )
    .addOption(
      new Option('--auth-token-file <file>', 'ask for one of the bearer tokens in this file, one a line').env(
        'ALL_DOCS_AUTH_TOKEN_FILE',
      ),
    )
    .addOption(
      new Option('--workers <n>', 'processes on the one port')
        .env('ALL_DOCS_WORKERS')
        .argParser(wholeNumber)
        .default(1),
    )
    .addOption(
      new Option('--drain <duration>', 'how long answers under way may take to end when the server is stopped')
        .env('ALL_DOCS_DRAIN')
        .argParser(parseDuration)
        .default(parseDuration('10s'), '10s'),
    )
    .addOption(
      new Option('--log', 'a JSON line on stderr for each request, not only for failures').env('ALL_DOCS_LOG'),
    );
  for (const option of [...followOptions(), ...storageOptions()]) command.addOption(option);
  return command
    .addOption(new Option('--contact <text>', 'how to reach you, for the User-Agent').env('ALL_DOCS_CONTACT'))
    .addOption(jsonOption())
    .action(async (flags: Flags) => {
      process.exitCode = await runServe(flags, io);
    });
}

/** Serves until it is interrupted; gives the exit code. */
async function runServe(flags: Flags, io: Io): Promise<number> {
  if (flags.follow && flags.offline)
    throw new CliError('ERR_USAGE', '--follow asks the registry and --offline forbids it; choose one of them');
  // Loaded here: no other command needs it.
  const { defaultCacheDirectory, serve } = await import('@_all_docs/worker-node/serve');
  const { cache, storage, maxSize, ttl, drain, json, follow, interval, window, reconcile, ...options } = flags;
  const server = await serve({
    ...options,
    // The index of a bucket's blobs is this machine's own.
    cache: cache ?? (isBucket(storage) ? undefined : storage) ?? defaultCacheDirectory(io.env),
    storage,
    follow: follow ? { intervalMs: interval, windowMs: window, reconcileMs: reconcile } : undefined,
    maxBytes: maxSize,
    ttlMs: ttl,
    drainMs: drain,
  });
  announce(server, flags, io);
  if (!io.signal.aborted) await once(io.signal, 'abort');
  await server.close();
  const { reason } = io.signal;
  const exitCode = reason instanceof Interruption ? reason.exitCode : EXIT.failure;
  if (json) io.out(`${JSON.stringify({ type: 'done', exitCode, status: 'interrupted' })}\n`);
  return exitCode;
}

function announce({ url }: RunningServer, { publicUrl, json, offline }: Flags, io: Io): void {
  if (json) {
    io.out(`${JSON.stringify({ type: 'listening', url, publicUrl, offline })}\n`);
    return;
  }
  const registry = `${(publicUrl ?? url).replace(/\/+$/, '')}/npm/`;
  io.out(`serving    ${registry}${offline ? ' (offline)' : ''}\n`);
  io.out(`try it     npm install --registry ${registry}\n`);
  io.out(`keep it    npx _all_docs use --url ${registry}   (and back: npx _all_docs unuse)\n`);
}

function place(text: string): string {
  if (/^[a-z][a-z\d+.-]+:\/\//i.test(text) && !isBucket(text)) {
    throw new CliError('ERR_USAGE', `--storage ${text}: give a directory, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX`);
  }
  return text;
}

function isBucket(storage: string | undefined): boolean {
  return storage !== undefined && /^(s3|gs):\/\/[^/]/.test(storage);
}
