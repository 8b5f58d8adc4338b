import { PAGE_LIMIT } from '@_all_docs/partition';
import { bootstrap } from '@_all_docs/worker';
import { expect, test } from 'vitest';
import { envOf, json } from './_env.ts';

const NAMES = Array.from({ length: 5.5 * PAGE_LIMIT }, (_, i) => `n${String(i).padStart(6, '0')}`);

test('a range that takes longer than a lease lasts is listed by one worker, each page once', async () => {
  const asked: string[] = [];
  const env = envOf(async ({ url }) => {
    const { pathname, searchParams } = new URL(url);
    if (pathname === '/') return json({ doc_count: NAMES.length, update_seq: 1 });
    const start = JSON.parse(searchParams.get('startkey') ?? '""') as string;
    const end = JSON.parse(searchParams.get('endkey') ?? '"~"') as string;
    asked.push(`${start} ${end}`);
    // A page takes half a minute, in which everybody else has his turn.
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    env.clock.time += 15_000;
    const rows = NAMES.filter((name) => name >= start && name <= end).slice(0, PAGE_LIMIT);
    return json({
      total_rows: NAMES.length,
      offset: 0,
      rows: rows.map((id) => ({ id, key: id, value: { rev: '1-a' } })),
    });
  });
  // One short range: whoever is done with it looks for more while the long one is under way.
  const selection = { kind: 'range' as const, startKey: null, endKey: null, pivots: ['n015000'] };
  const result = await bootstrap({ selection, depth: 'names', concurrency: 2 }, env);
  expect(result).toMatchObject({ status: 'done', names: NAMES.length, failed: 0 });
  expect(asked.length).toBe(new Set(asked).size);
});
