import { expect, it } from 'vitest';
import { ask } from './client.ts';
import { startFakeOrigin } from './index.ts';

const MIX = { publish: 10, new: 5, deleted: 2, unpublished: 2, placeholder: 2, '404': 2, version: 5, silent: 2 };

it('makes many changes at once, the same for the same seed, and tells which removals there were', async () => {
  const fakes = [1, 2].map(() => startFakeOrigin({ packages: 200, seed: 3, sizes: 'small' }));
  const [fake, twin] = await Promise.all(fakes);
  if (!fake || !twin) throw new Error('two were started');
  const body = JSON.stringify({ count: 600, seed: 9, mix: MIX });
  const { status, text } = await ask(fake.url, '/-/fake/churn', { method: 'POST', body });
  const { made, removed, seq } = JSON.parse(text);
  expect([status, seq]).toEqual([200, fake.updateSeq]);
  expect(Object.keys(made).sort()).toEqual(Object.keys(MIX).sort());
  expect(Object.values<number>(made).reduce((sum, times) => sum + times)).toBe(600);
  expect(removed).toEqual(twin.churn({ count: 600, seed: 9, mix: MIX }).removed);
  const still = removed.filter(({ name, rev }: { name: string; rev: string }) => fake.rev(name) === rev);
  expect(still.length).toBeGreaterThan(50);
  for (const { name, version } of still)
    expect(Object.keys((fake.packument(name)?.['versions'] as object) ?? {})).not.toContain(version);
  await Promise.all([fake.close(), twin.close()]);
});

it('tells the truth of every name that is or was there: its revision, or that it is gone', async () => {
  const fake = await startFakeOrigin({ packages: 50, seed: 3, sizes: 'small' });
  const [one, two] = fake.names();
  const { rev } = fake.publish(one as string);
  fake.remove(two as string, 'silent');
  const { text } = await ask(fake.url, '/-/fake/truth');
  const lines = new Map(
    text
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ') as [string, string]),
  );
  expect([lines.size, lines.get(one as string), lines.get(two as string)]).toEqual([50, rev, '-']);
  const { document } = JSON.parse(
    (await ask(fake.url, `/-/fake/document?name=${encodeURIComponent(one as string)}`)).text,
  );
  expect(document).toEqual(fake.packument(one as string));
  await fake.close();
});

it('refuses a churn that is none', async () => {
  const fake = await startFakeOrigin({ packages: 5, seed: 3 });
  for (const rule of [{ count: -1, seed: 1 }, { count: 1, seed: 1, mix: { explode: 1 } }, { count: 1 }])
    expect((await ask(fake.url, '/-/fake/churn', { method: 'POST', body: JSON.stringify(rule) })).status).toBe(400);
  await fake.close();
});
