import { describe, expect, it } from 'vitest';
import { History, type Outcome } from './_history.ts';
import { sorted } from './_replica.ts';

const HISTORIES = 10_000;

describe(`${HISTORIES} random histories of an origin and a follower that is killed`, () => {
  it('end with the same names and revisions, and an alarm wherever the sequences began anew', async () => {
    const seen = { crashes: 0, resets: 0, alarms: {} as Record<string, number> };
    for (let seed = 1; seed <= HISTORIES; seed++) {
      const outcome = await run(seed);
      expect(sorted(outcome.actual), `seed ${seed}`).toEqual(sorted(outcome.expected));
      if (outcome.resets > 0) expect(outcome.alarms, `seed ${seed}`).toContain('epoch');
      seen.crashes += outcome.crashes;
      seen.resets += outcome.resets;
      for (const kind of outcome.alarms) seen.alarms[kind] = (seen.alarms[kind] ?? 0) + 1;
    }
    // The histories are no easy ones.
    expect(seen.crashes).toBeGreaterThan(HISTORIES);
    expect(seen.resets).toBeGreaterThan(HISTORIES / 2);
    expect(Object.keys(seen.alarms).sort()).toEqual(['echo', 'epoch', 'gap', 'standstill']);
  }, 120_000);
});

async function run(seed: number): Promise<Outcome> {
  try {
    return await new History(seed).run();
  } catch (cause) {
    throw new Error(`seed ${seed}`, { cause });
  }
}
