import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from './client.ts';
import type { FakeOrigin, FaultRule } from './index.ts';
import { startFakeOrigin } from './index.ts';

interface Page {
  total_rows: number;
  offset: number;
  rows: { id: string; key: string; value: { rev: string } }[];
}

let fake: FakeOrigin;
let names: string[];
beforeAll(async () => {
  fake = await startFakeOrigin({ packages: 3000, seed: 9 });
  names = [...fake.names()];
});
afterAll(() => fake.close());

const q = (key: string | undefined) => encodeURIComponent(JSON.stringify(key));
const range = (from: number, to: number) => `startkey=${q(names[from])}&endkey=${q(names[to])}`;
const page = async (query: string) =>
  JSON.parse((await ask(fake.url, `/_all_docs?${query}`, { headers: { 'accept-encoding': 'gzip' } })).text) as Page;
const ids = ({ rows }: Page) => rows.map((row) => row.id);

function fail(rule: FaultRule): void {
  fake.setFaults([rule]);
  fake.resetStats();
}

describe('page-cut', () => {
  it('ends early and says nothing of it', async () => {
    fail({ fault: 'page-cut', rows: 17 });
    const cut = await page('limit=500');
    expect([cut.total_rows, cut.offset, ids(cut)]).toEqual([3000, 0, names.slice(0, 17)]);
    expect(ids(await page(range(40, 45)))).toEqual(names.slice(40, 46));
    expect(fake.stats().faults).toEqual({ 'page-cut': 1 });
  });

  it('gives half by default, or nothing', async () => {
    fail({ fault: 'page-cut' });
    expect(ids(await page('limit=500'))).toEqual(names.slice(0, 250));
    fail({ fault: 'page-cut', rows: 0 });
    expect((await page('limit=500')).rows).toEqual([]);
  });
});

describe('rows-outside', () => {
  it('has rows of both neighbours, whatever the end means', async () => {
    fail({ fault: 'rows-outside' });
    expect(ids(await page(range(40, 45)))).toEqual(names.slice(37, 49));
    expect(ids(await page(`${range(40, 45)}&inclusive_end=false`))).toEqual(names.slice(37, 48));
    expect(ids(await page(`key=${q(names[40])}`))).toEqual(names.slice(37, 44));
    expect(ids(await page(`${range(1, 2999)}&limit=2`))).toEqual(names.slice(0, 3));
  });

  it('skips to the end when the limit cut the page', async () => {
    fail({ fault: 'rows-outside' });
    expect(ids(await page(`${range(40, 1000)}&limit=2`))).toEqual([...names.slice(37, 42), ...names.slice(1001, 1004)]);
  });

  it('leaves a page alone that has no outside', async () => {
    fail({ fault: 'rows-outside' });
    expect(ids(await page('limit=10000'))).toEqual(names);
    expect(fake.stats().faults).toEqual({});
  });
});

describe('rows in a wrong order', () => {
  it('rows-duplicate: one row twice, none lost', async () => {
    fail({ fault: 'rows-duplicate' });
    const seen = ids(await page(range(40, 60)));
    expect(seen.length).toBe(22);
    expect([...new Set(seen)]).toEqual(names.slice(40, 61));
  });

  it('rows-unordered: two rows change places', async () => {
    fail({ fault: 'rows-unordered' });
    const seen = ids(await page(range(40, 60)));
    const due = names.slice(40, 61);
    expect(seen.filter((id, i) => id !== due[i]).length).toBe(2);
    expect(seen.toSorted()).toEqual(due.toSorted());
  });

  it('leave pages alone that are too short', async () => {
    for (const fault of ['rows-duplicate', 'rows-unordered'] as const) {
      fail({ fault });
      expect((await page('limit=0')).rows).toEqual([]);
      expect(fake.stats().faults).toEqual({});
    }
  });
});

describe('total-moves', () => {
  const totals = async () => {
    const seen: number[] = [];
    for (let i = 0; i < 60; i++) seen.push((await page('limit=1')).total_rows);
    return seen;
  };

  it('stays within 50, both ways, the same for the same seed', async () => {
    fail({ fault: 'total-moves', share: 0.9 });
    const seen = await totals();
    expect(Math.min(...seen)).toBeGreaterThanOrEqual(2950);
    expect(Math.max(...seen)).toBeLessThanOrEqual(3050);
    expect(Math.min(...seen)).toBeLessThan(2980);
    expect(Math.max(...seen)).toBeGreaterThan(3020);
    fake.setFaults([{ fault: 'total-moves', share: 0.9 }]);
    expect(await totals()).toEqual(seen);
  });
});

describe('faults of pages', () => {
  it('hit pages only, combine, and let a bad query be bad', async () => {
    fake.setFaults([
      { fault: 'page-cut', rows: 1, path: 'limit=9', times: 1 },
      { fault: 'rows-duplicate', path: 'limit=9' },
    ]);
    fake.resetStats();
    const seen = [];
    for (let i = 0; i < 2; i++) seen.push((await page('limit=9')).rows.length);
    expect(seen).toEqual([1, 10]);
    fail({ fault: 'page-cut' });
    for (const [path, status] of [
      ['/jquery', 200],
      ['/_changes', 200],
      ['/_all_docs?limit=x', 400],
    ] as const) {
      expect((await ask(fake.url, path)).status).toBe(status);
    }
    expect(fake.stats().faults).toEqual({});
  });
});
