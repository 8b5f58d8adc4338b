import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { canRecord } from '../../scripts/crash-states/record.ts';

const isHere = canRecord();
if (!isHere) console.log('crash states: skipped, strace is missing here or may not trace');

/** What must hold is in `guaranteeOf` of scripts/crash-states/main.ts; the long version of this is that script. */
describe.skipIf(!isHere)('crash states of recorded system calls', () => {
  it.each([
    ['cacache', 'process', 1500],
    ['cacache', 'power', 750],
    ['sqlite', 'process', 1500],
    ['sqlite', 'power', 750],
  ])(
    '%s at the level %s: none loses, doubles or damages anything',
    async (store, level, most) => {
      const args = ['--store', store, '--level', level, '--states', String(most)];
      const child = spawn(process.execPath, ['scripts/crash-states/main.ts', ...args], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const lines = (await text(child.stdout)).trimEnd().split('\n');
      console.log(lines.join('\n'));
      const events = lines.map((line) => JSON.parse(line));
      expect(events.filter(({ type }) => type === 'finding')).toEqual([]);
      // A power cut is played with and without synced commits.
      expect(events.map(({ states }) => states)).toEqual(level === 'power' ? [most, most] : [most]);
    },
    300_000,
  );
});
