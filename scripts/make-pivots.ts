/**
 * Makes `pivots/npm.json` from a modelled registry, and prints how evenly it cuts generated ones. Same arguments, same file.
 * `--partitions N` (how many parts), `--names N` (size of the modelled registry), `--seed S`, `--out FILE`, `--check`
 * (only print the balance of the file), `--print model|fake` (only print the names, sorted, one a line).
 */
import { cutNames, measureBalance } from '@_all_docs/partition';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { makeNameTable, type NameTable } from '../test/fake-origin/name-table.ts';
import { modelName } from './pivots/model.ts';

const { values } = parseArgs({
  options: {
    partitions: { type: 'string', default: '32' },
    names: { type: 'string', default: '4600000' },
    seed: { type: 'string', default: '20261120' },
    out: { type: 'string', default: 'pivots/npm.json' },
    check: { type: 'boolean', default: false },
    print: { type: 'string' },
  },
});
const [size, seed, partitions] = [Number(values.names), Number(values.seed), Number(values.partitions)];

const GENERATORS: Record<string, (size: number, seed: number) => NameTable> = {
  model: (size, seed) => makeNameTable(size, seed, modelName),
  fake: makeNameTable,
};

if (values.print !== undefined) printNames(values.print);
else {
  if (!values.check) await make();
  await printBalance(JSON.parse(readFileSync(values.out, 'utf8')));
}

async function make(): Promise<void> {
  const table = makeNameTable(size, seed, modelName);
  // A boundary may come a little early to be short: asked for exactly the mean, there would be a few partitions more.
  const pivots = await cutNames(namesOf(table), Math.ceil(size / partitions));
  writeFileSync(values.out, `${JSON.stringify(pivots, undefined, 2)}\n`);
}

/** Other seeds than the set was made from, and the fake origin's names: another shape altogether, as the true ones may be. */
async function printBalance(pivots: readonly string[]): Promise<void> {
  console.log(`${pivots.length} pivots, ${Math.max(...pivots.map((pivot) => pivot.length))} characters at most`);
  console.log('| names | seed | partitions | empty | min | median | max | max/median | over a page | requests |');
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const [kind, generate] of Object.entries(GENERATORS)) {
    for (const [size, seed] of [
      [1_000_000, 1],
      [1_000_000, 2],
      [4_600_000, 1],
      [4_600_000, 2],
    ] as const) {
      const { counts, ...b } = await measureBalance(namesOf(generate(size, seed)), pivots);
      const cells = [`${kind}, ${size.toLocaleString('en-US')}`, seed, b.partitions, b.empty, b.min, b.median, b.max];
      console.log(`| ${[...cells, b.ratio ?? '-', b.overflowing, requests(counts)].join(' | ')} |`);
    }
  }
}

/** What a pass over partitions of so many rows asks: its pages, one more for each part that says there is nothing more, and the root twice. */
function requests(counts: readonly number[]): number {
  const pages = (rows: number): number => (rows === 0 ? 1 : rows < 10_000 ? 2 : 1 + pages(rows - 9_999));
  return counts.reduce((sum, rows) => sum + pages(rows), 2);
}

function printNames(kind: string): void {
  const table = GENERATORS[kind]?.(size, seed);
  if (!table) throw new Error('--print needs model or fake');
  for (const name of namesOf(table)) process.stdout.write(`${name}\n`);
}

function* namesOf(table: NameTable): Iterable<string> {
  for (let i = 0; i < table.size; i++) yield table.at(i);
}
