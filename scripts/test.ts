/**
 * Everything behind `npm test`: static checks, then all test projects. The last line is `N passed, N failed[, N skipped]`;
 * a check counts as one test. Exits 1 when anything failed. Arguments go to vitest.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { viceroyPath } from '../test/servers/viceroy.ts';
import { checkBoundaries } from './boundaries.ts';
import { members } from './members.ts';

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

const env = { ...process.env, PATH: [resolve('node_modules/.bin'), process.env['PATH']].join(delimiter) };
const count: Count = { passed: 0, failed: 0, skipped: 0 };
const chosen = process.argv.slice(2);
/** Fastly's local engine is waited for as long as that, from the beginning. */
const VICEROY_MS = 25 * 60_000;
const viceroy = chosen.length === 0 ? buildViceroy() : undefined;

check('types of tests and scripts', () => command('tsc', '--noEmit', '-p', 'test/tsconfig.json'));
check('types of tests inside workerd', () => command('tsc', '--noEmit', '-p', 'workers/cloudflare/test/tsconfig.json'));
check('biome', () => command('biome', 'ci', '--error-on-warnings', '.'));
check('boundaries', () => {
  const problems = checkBoundaries();
  for (const problem of problems) console.error(problem);
  return problems.length === 0;
});
check('knip', () => command('knip'));
check('size budgets', () => command(process.execPath, 'scripts/size.ts'));
check('size of the Cloudflare worker', () => command(process.execPath, 'scripts/size-cloudflare.ts'));
check('size of the Fastly worker', () => command(process.execPath, 'scripts/size-fastly.ts'));
for (const dir of members())
  check(`publint ${dir}`, () => command('publint', dir, '--strict', '--level', 'warning', '--pack', 'npm'));
if (viceroy) {
  vitest(['--project', '!fastly']);
  const trouble = await viceroy.ready;
  if (trouble && viceroyPath() === undefined) console.log(`skipped: everything on Fastly's local engine: ${trouble}`);
  vitest(['--project', 'fastly']);
} else vitest(chosen);

console.log(`${count.passed} passed, ${count.failed} failed${count.skipped > 0 ? `, ${count.skipped} skipped` : ''}`);
process.exit(count.failed > 0 ? 1 : 0);

/** Builds the engine beside everything else, where it is missing: that takes long. Its tests are the last. */
function buildViceroy(): { ready: Promise<string | undefined> } {
  if (viceroyPath() !== undefined) return { ready: Promise.resolve(undefined) };
  const child = spawn('nice', [process.execPath, 'test/servers/viceroy.ts'], {
    // A group of its own, so that what it has started ends with it.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (text) => (said = (said + text).slice(-500)));
  const over = new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(String(error)));
    child.once('exit', (code) => resolve(code === 0 ? undefined : `its build failed: ${said}`));
  });
  const late = new Promise<string>((resolve) => {
    setTimeout(resolve, VICEROY_MS, `its build takes more than ${VICEROY_MS / 60_000} minutes`).unref();
  });
  const ready = Promise.race([over, late]).finally(() => {
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid);
  });
  return { ready };
}

function check(title: string, holds: () => boolean): void {
  const ok = holds();
  count[ok ? 'passed' : 'failed'] += 1;
  console.log(`${ok ? 'ok' : 'FAILED'}  ${title}`);
}

function command(name: string, ...args: string[]): boolean {
  const { status, stdout, stderr } = spawnSync(name, args, { env, encoding: 'utf8' });
  if (status !== 0) console.error(`${stdout}${stderr}`);
  return status === 0;
}

function vitest(args: string[]): void {
  const dir = mkdtempSync(join(tmpdir(), 'all-docs-test-'));
  const report = join(dir, 'report.json');
  const { status } = spawnSync(
    'vitest',
    ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...args],
    { env, stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const result = JSON.parse(readFileSync(report, 'utf8'));
  rmSync(dir, { recursive: true });
  count.passed += result.numPassedTests;
  count.failed += result.numFailedTests;
  count.skipped += result.numPendingTests + result.numTodoTests;
  // A file that does not even load fails no test of its own.
  if (status !== 0 && result.numFailedTests === 0) count.failed += 1;
}
