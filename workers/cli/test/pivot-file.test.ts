import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readPivots } from '../src/selection/pivot-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'all-docs-pivots-'));
afterAll(() => rmSync(directory, { recursive: true }));

let count = 0;
function file(end: string, text: string): string {
  count += 1;
  const path = join(directory, `pivots-${count}${end}`);
  writeFileSync(path, text);
  return path;
}

describe('readPivots', () => {
  it.each<[string, string, string, unknown[]]>([
    ['JSON', '.json', '["a","b"]', ['a', 'b']],
    ['JSON with null ends', '.json', '[null,"a",null]', ['a']],
    ['JSON with a field', '.json', '{"pivots":["a"]}', ['a']],
    ['an empty list', '.json', '[]', []],
    ['a default export', '.mjs', 'export default ["a", "b"];', ['a', 'b']],
    ['an export named pivots', '.mjs', 'export const pivots = ["a"];', ['a']],
    ['both: the named one', '.mjs', 'export const pivots = ["a"]; export default ["b"];', ['a']],
    ['a default export with a field', '.mjs', 'export default { pivots: ["a"] };', ['a']],
    ['CommonJS', '.cjs', 'module.exports = ["a"];', ['a']],
    ['a module that awaits', '.mjs', 'export default await Promise.resolve(["a"]);', ['a']],
    // Whoever uses them refuses it: a null is an end, not a pivot.
    ['a null inside stays', '.json', '["a",null,"b"]', ['a', null, 'b']],
  ])('%s', async (_title, end, text, pivots) => {
    expect(await readPivots(file(end, text))).toEqual(pivots);
  });

  it.each<[string, string, string]>([
    ['no list', '.json', '{"a":1}'],
    ['null', '.json', 'null'],
    ['text', '.json', '"a"'],
    ['half a file', '.json', '["a"'],
    ['a module without exports', '.mjs', ''],
    ['a module that throws', '.mjs', 'throw new Error("no")'],
    ['a module that is none', '.mjs', '<html>'],
  ])('refuses %s', async (_title, end, text) => {
    await expect(readPivots(file(end, text))).rejects.toMatchObject({ code: 'ERR_BAD_PIVOTS' });
  });

  it.each(['nowhere.json', 'nowhere.mjs'])('%s is not there', async (name) => {
    await expect(readPivots(join(directory, name))).rejects.toMatchObject({ code: 'ERR_NO_FILE', exitCode: 2 });
  });
});
