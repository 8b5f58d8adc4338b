import { beforeAll, describe, expect, it } from 'vitest';
import type { FakeOrigin } from '../fake-origin/index.ts';
import { only, runCli, tempDir, tempFile } from './cli.ts';
import { at, startFake } from './replica.ts';

const listOf = (count: number) => tempFile('names.txt', Array.from({ length: count }, (_, i) => `p${i}`).join('\n'));

describe('--plan: which store', () => {
  let fake: FakeOrigin;
  beforeAll(async () => {
    fake = await startFake({ packages: 120, seed: 86 });
  });
  const plan = (names: string, cache: string, ...more: string[]) =>
    runCli(['bootstrap', '--plan', '--names', names, ...more, ...at(fake, cache)]);

  it('up to 100,000 packages either will do', async () => {
    const event = only(await plan(listOf(100_000), tempDir(), '--json'), 'plan');
    const bytes = event['bytes'] as number;
    expect(event).toMatchObject({
      packages: 100_000,
      stores: {
        cacache: { diskBytes: bytes + 100_000 * 6_300, files: 200_000 },
        sqlite: { diskBytes: Math.round(bytes * 1.1), files: 1 },
      },
      diskBytes: bytes + 100_000 * 6_300,
      files: 200_000,
    });
    expect(event).not.toHaveProperty('recommended');
  });

  it('above, sqlite, and why; and nothing stands in its way then', async () => {
    const cache = tempDir();
    const names = listOf(100_001);
    const json = only(await plan(names, cache, '--json'), 'plan');
    expect(json['recommended']).toEqual({ store: 'sqlite', reason: expect.stringMatching(/2 million files/) });
    const text = await plan(names, cache);
    expect(text.stdout).toMatch(
      /\ndisk +cacache: about .*B in 200,002 files; sqlite: about .*B in one file\nstore +better with --store sqlite: .*2 million files.*\n/,
    );
    // The plan has decided nothing for the directory.
    const followed = only(await plan(names, cache, '--json', '--store', 'sqlite'), 'plan');
    expect(followed).toMatchObject({ files: 1, diskBytes: Math.round((followed['bytes'] as number) * 1.1) });
    expect(followed).not.toHaveProperty('recommended');
    const used = await runCli(['packument', 'fetch-list', '-', '--store', 'sqlite', ...at(fake, cache)], {
      input: 'a',
    });
    expect(used).toMatchObject({ code: 0 });
  });

  it('names alone are few entries', async () => {
    const event = only(await plan(listOf(100_001), tempDir(), '--json', '--depth', 'names'), 'plan');
    expect(event).not.toHaveProperty('recommended');
  });
});
