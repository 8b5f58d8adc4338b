import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FakeOrigin } from '../fake-origin/index.ts';
import { COMMAND, only, runCli, tempDir, tempFile } from './cli.ts';
import { at, held, startFake } from './replica.ts';

const BYTES = 100_000_000;
const MEBIBYTE = 1024 * 1024;
const USAGE = resolve(import.meta.dirname, '../../scripts/bench/usage.mjs');
const huge = (name: string, plain: boolean) => ({ fault: 'huge' as const, path: `^/${name}$`, bytes: BYTES, plain });

/** The peak resident set of a bootstrap of those names, a process of its own, in bytes. */
async function peakOf(fake: FakeOrigin, names: readonly string[], ...flags: string[]): Promise<number> {
  const usage = join(tempDir(), 'usage.json');
  const run = await runCli(
    ['bootstrap', '--json', '--names', tempFile('names.txt', names.join('\n')), ...at(fake, tempDir()), ...flags],
    { env: { BENCH_USAGE: usage, NODE_OPTIONS: `--import=${USAGE}` } },
  );
  expect(run).toMatchObject({ code: 0, stderr: '' });
  expect(only(run, 'done')).toMatchObject({ stored: names.length, failed: 0 });
  return JSON.parse(readFileSync(usage, 'utf8')).maxRssKiB * 1024;
}

/** Length and digest of what a command prints: more than a test would want to hold. */
async function printedBy(args: readonly string[]): Promise<{ bytes: number; sha256: string }> {
  const child = spawn(COMMAND, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    hash.update(chunk);
  }
  expect(await exit).toEqual([0, null]);
  return { bytes, sha256: hash.digest('hex') };
}

describe('a packument of 100 MB', () => {
  it.each([
    ['cacache', 'crc'],
    ['sqlite', 'crc'],
    ['cacache', 'length'],
    ['sqlite', 'length'],
  ])('adds less than its own size to the memory of a bootstrap: %s, %s', async (store, check) => {
    const fake = await startFake({ packages: 300, seed: 41 });
    const names = [...fake.names()];
    const flags = ['--store', store, '--check', check];
    const usual = await peakOf(fake, names, ...flags);
    for (const plain of [false, true]) {
      fake.setFaults([huge('jquery', plain)]);
      const more = (await peakOf(fake, names, ...flags)) - usual;
      expect({ plain, mebibytes: more / MEBIBYTE }).toEqual({ plain, mebibytes: expect.toSatisfy((n) => n < 64) });
    }
  });

  it('is kept and shown as it was sent, whether it came plain or compressed', async () => {
    const fake = await startFake({ packages: 300, seed: 41 });
    fake.setFaults([huge('jquery', true)]);
    const sent = createHash('sha256');
    for await (const chunk of (await fetch(`${fake.url}/jquery`)).body ?? []) sent.update(chunk);
    const truth = { bytes: BYTES + 1, sha256: sent.update('\n').digest('hex') };
    for (const plain of [true, false]) {
      fake.setFaults([huge('jquery', plain)]);
      const cache = tempDir();
      expect(await runCli(['packument', 'fetch', 'jquery', ...at(fake, cache)])).toMatchObject({ code: 0 });
      expect(await printedBy(['packument', 'show', 'jquery', ...held(fake, cache)])).toEqual(truth);
      expect(await runCli(['packument', 'verify', ...held(fake, cache)])).toMatchObject({ code: 0 });
    }
  });
});
