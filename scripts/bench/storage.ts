/**
 * What listing costs, and what size costs, in the stores of @_all_docs/worker-node.
 *
 * Listing: CPU per key of `list(prefix)` of the sqlite driver and of the cacache driver (which lists from its own index, not
 * through the library), beside `cacache.ls` over the same directory. Need: sqlite at least 50 times cheaper than cacache.ls.
 * Growth: CPU per entry to write (keys in order, as a bootstrap does), to read (in order, and at random) and to list, in
 * sqlite stores of growing size. Need: at the largest size less than 1.5 times that of the smallest.
 *
 * Each figure is from a process of its own that warmed up on another, small store; ratios are taken within a round.
 *
 *   node scripts/bench/storage.ts [--rounds 3] [--list 10000,20000] [--sizes 10000,100000,1000000] [--bytes 2048]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measure, spread } from './_measure.ts';

/** CPU microseconds per entry, by what was done. */
type Costs = Record<string, number>;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    list: { type: 'string', default: '10000,20000' },
    sizes: { type: 'string', default: '10000,100000,1000000' },
    bytes: { type: 'string', default: '2048' },
  },
});
const rounds = Number(values.rounds);
const work = mkdtempSync(join(tmpdir(), 'all-docs-storage-'));
try {
  console.log(`entries of ${values.bytes} bytes, ${rounds} rounds; CPU us per entry; median [min-max]`);
  for (const entries of numbers(values.list)) await compareLists(entries);
  await growth(numbers(values.sizes));
} finally {
  rmSync(work, { recursive: true, force: true });
}

async function compareLists(entries: number): Promise<void> {
  const stores = { sqlite: join(work, `sqlite-${entries}`), cacache: join(work, `cacache-${entries}`) };
  for (const [kind, path] of Object.entries(stores)) await costs('fill', kind, path, entries);
  const seen: Costs[] = [];
  for (let round = 0; round < rounds; round++) {
    seen.push({
      'cacache.ls': (await costs('ls', 'cacache', stores.cacache, entries))['list'] ?? Number.NaN,
      'cacache driver': (await costs('list', 'cacache', stores.cacache, entries))['list'] ?? Number.NaN,
      'sqlite driver': (await costs('list', 'sqlite', stores.sqlite, entries))['list'] ?? Number.NaN,
    });
  }
  console.log(`list by prefix, ${entries} entries | us per key | cacache.ls : this`);
  for (const name of Object.keys(seen[0] ?? {})) row(name, seen, name, (costs) => ratio(costs, 'cacache.ls', name));
  for (const path of Object.values(stores)) rmSync(path, { recursive: true, force: true });
}

async function growth(sizes: readonly number[]): Promise<void> {
  const seen: Record<number, Costs>[] = [];
  for (let round = 0; round < rounds; round++) {
    const bySize: Record<number, Costs> = {};
    for (const size of sizes) {
      const path = join(work, `growth-${size}`);
      const written = await costs('fill', 'sqlite', path, size);
      bySize[size] = { ...written, ...(await costs('read', 'sqlite', path, size)) };
      rmSync(path, { recursive: true, force: true });
    }
    seen.push(bySize);
  }
  const [smallest = 0] = sizes;
  for (const what of ['write', 'read in order', 'read at random', 'list']) {
    console.log(`${what} (sqlite) | us per entry | this : ${smallest} entries`);
    for (const size of sizes) {
      const costs = seen.map((bySize) => ({ this: bySize[size]?.[what] ?? 0, first: bySize[smallest]?.[what] ?? 0 }));
      row(`${size} entries`, costs, 'this', (both) => ratio(both, 'this', 'first'));
    }
  }
}

/** Does one job in a process of its own; see the child for what each is. */
async function costs(job: string, kind: string, path: string, entries: number): Promise<Costs> {
  const child = ['scripts/bench/storage-job.ts', job, kind, path, String(entries), values.bytes];
  return JSON.parse((await measure(child)).stdout) as Costs;
}

function row(name: string, seen: readonly Costs[], what: string, ratioOf: (costs: Costs) => number): void {
  const cost = spread(
    seen.map((costs) => costs[what] ?? Number.NaN),
    2,
  );
  console.log(`  ${name.padEnd(16)} ${cost} | ${spread(seen.map(ratioOf), 2)}`);
}

function ratio(costs: Costs, above: string, below: string): number {
  return (costs[above] ?? Number.NaN) / (costs[below] ?? Number.NaN);
}

function numbers(list: string): number[] {
  return list.split(',').filter(Boolean).map(Number);
}
