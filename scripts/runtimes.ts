/**
 * Writes the README's table of what runs where: runs the registry's contract on every runtime and takes down how it ended.
 *
 *   node scripts/runtimes.ts [REPORT…]     reports of vitest (--reporter=json), where the runs were made already
 *
 * A feature that a runtime lacks is a skipped test with the reason in its title; a group of tests is a row. Exits 1, and
 * writes nothing, when a test failed.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [BEGIN, END] = ['<!-- runtimes: written by scripts/runtimes.ts -->', '<!-- runtimes end -->'];
const SUITE = 'registry contract: ';

interface Result {
  ancestorTitles: string[];
  title: string;
  status: string;
}

const given = process.argv.slice(2);
const results = (given.length > 0 ? given : [run()]).flatMap(read);
const failed = results.filter(({ status }) => status === 'failed');
for (const { ancestorTitles, title } of failed) console.error(`failed: ${[...ancestorTitles, title].join(' > ')}`);
if (failed.length > 0 || results.length === 0) {
  console.error(results.length === 0 ? 'no contract was run' : 'nothing is written');
  process.exit(1);
}
const readme = readFileSync('README.md', 'utf8');
const [before, rest] = readme.split(BEGIN);
const after = rest?.split(END)[1];
if (after === undefined) throw new Error(`README.md has no place for the table: ${BEGIN} … ${END}`);
writeFileSync('README.md', `${before}${BEGIN}\n\n${table(results)}\n\n${END}${after}`);
spawnSync('node_modules/.bin/biome', ['format', '--write', 'README.md'], { stdio: 'inherit' });

/** Runs the contract everywhere; gives the report's path. */
function run(): string {
  const report = join(mkdtempSync(join(tmpdir(), 'all-docs-runtimes-')), 'report.json');
  const filters = ['registry-contract', 'workerd-contract', 'runtime/fastly/registry', 'cloudrun-contract'];
  spawnSync('node_modules/.bin/vitest', ['run', ...filters, '--reporter=json', `--outputFile=${report}`], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  process.on('exit', () => rmSync(join(report, '..'), { recursive: true, force: true }));
  return report;
}

function read(report: string): Result[] {
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as { testResults: { assertionResults: Result[] }[] };
  return testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ ancestorTitles: [suite] }) => suite?.startsWith(SUITE));
}

function table(all: readonly Result[]): string {
  const runtimes = [...new Set(all.map(runtimeOf))];
  // A test that is skipped anywhere is a feature of its own, by the words that all runtimes have in common.
  const features = [...new Set(all.filter(({ status }) => status !== 'passed').map(featureOf))];
  const groups = [...new Set(all.map(groupOf))];
  const rows = [
    ...groups.map((group) => [group, ...runtimes.map((runtime) => counted(all, runtime, group))]),
    ...features.map((feature) => [feature, ...runtimes.map((runtime) => answered(all, runtime, feature))]),
  ];
  const lines = [['tests of the contract', ...runtimes], runtimes.concat('').map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function counted(all: readonly Result[], runtime: string, group: string): string {
  const own = all.filter((result) => runtimeOf(result) === runtime && groupOf(result) === group);
  return `${own.filter(({ status }) => status === 'passed').length} of ${own.length}`;
}

/** Yes, or the reason why not. */
function answered(all: readonly Result[], runtime: string, feature: string): string {
  const own = all.find((result) => runtimeOf(result) === runtime && featureOf(result) === feature);
  if (own?.status === 'passed') return 'yes';
  const [, reason] = /\((.*)\)$/.exec(own?.title ?? '') ?? [];
  return `no: ${reason ?? 'not tested'}`;
}

function runtimeOf({ ancestorTitles: [suite = ''] }: Result): string {
  return suite.slice(SUITE.length);
}

function groupOf({ ancestorTitles: [, group = 'trouble'] }: Result): string {
  return group;
}

/** With its group, since titles are short: "documents: are asked of the origin once". */
function featureOf(result: Result): string {
  return `${groupOf(result)}: ${result.status === 'passed' ? result.title : result.title.replace(/ \(.*\)$/, '')}`;
}
