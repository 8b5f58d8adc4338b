import { Partition } from '@_all_docs/partition';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { defaultPivots, readDefaultPivots } from '../src/default-pivots.ts';

describe('the default pivots', () => {
  it('are for the public npm registry alone', async () => {
    const pivots = await readDefaultPivots();
    expect(await defaultPivots('npm')).toEqual(pivots);
    expect(await defaultPivots('https://registry.example')).toBeUndefined();
  });

  it('are the set at the root of the repository: in order, short, and with the classes of first characters that matter', async () => {
    const pivots = await readDefaultPivots();
    const home = new URL('../../../pivots/npm.json', import.meta.url);
    expect(JSON.parse(readFileSync(home, 'utf8'))).toEqual(pivots);
    expect(Partition.fromPivots(pivots)).toHaveLength(pivots.length + 1);
    expect(Math.max(...pivots.map(({ length }) => length))).toBeLessThanOrEqual(16);
    const scoped = pivots.filter((pivot) => pivot.startsWith('@')).length / pivots.length;
    expect(scoped).toBeGreaterThan(0.2);
    expect(scoped).toBeLessThan(0.3);
  });
});
