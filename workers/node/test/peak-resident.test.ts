import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { peakResidentBytes } from '../src/server/peak-resident.js';

it('is as much as is in memory now, at least', () => {
  expect(peakResidentBytes()).toBeGreaterThanOrEqual(process.memoryUsage.rss() * 0.99);
});

it.skipIf(process.platform !== 'linux')('of a child has nothing of what its parent holds', () => {
  const held = Buffer.alloc(256 * 1024 ** 2, 1);
  const source = new URL('../src/server/peak-resident.ts', import.meta.url);
  const script = `const { peakResidentBytes } = await import(${JSON.stringify(source.href)}); console.log(peakResidentBytes());`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect(Number(stdout)).toBeGreaterThan(10 * 1024 ** 2);
  expect(Number(stdout)).toBeLessThan(held.length);
});
