import { describe, expect, it } from 'vitest';
import { ask } from '../fake-origin/client.ts';
import type { FakeOrigin } from '../fake-origin/index.ts';
import { type RunningCli, runCli, startCli, tempDir, until } from './cli.ts';
import { at, startFake } from './replica.ts';

const plain = (fake: FakeOrigin) => [...fake.names()].filter((name) => /^[a-z]{3,}$/.test(name));
const held = async (fake: FakeOrigin, cache: string, name: string) =>
  (await runCli(['packument', 'show', name, '--registry', fake.url, '--cache', cache])).stdout;

async function serveFollowing(fake: FakeOrigin, cache: string): Promise<RunningCli & { url: string }> {
  const flags = ['--json', '--listen', '127.0.0.1:0', '--follow', '--interval', '200ms', '--window', '100ms'];
  const where = ['--origin', fake.url, '--registry', fake.url, '--cache', cache];
  const running = startCli(['serve', ...flags, ...where]);
  const said = () => /"type":"listening","url":"([^"]+)"/.exec(running.printed().stdout)?.[1];
  await until(() => said() !== undefined, 'it listens');
  return { ...running, url: said() as string };
}

describe.each(['cacache', 'sqlite'])('a replica on %s', (store) => {
  it('follows publishes, new packages and every form of removal, and asks nothing when nothing changed', async () => {
    const fake = await startFake({ packages: 120, seed: 1 });
    const cache = tempDir();
    expect(await runCli(['bootstrap', '--store', store, ...at(fake, cache)])).toMatchObject({ code: 0 });
    const [published, deleted, stub, placeholder, absent] = plain(fake) as [string, string, string, string, string];
    const { rev } = fake.publish(published);
    fake.publish('brand-new');
    fake.remove(deleted, 'deleted');
    fake.remove(stub, 'unpublished');
    fake.remove(placeholder, 'placeholder');
    fake.remove(absent, '404');
    const first = await runCli(['follow', '--once', '--json', ...at(fake, cache)]);
    expect(first).toMatchObject({ code: 0 });
    expect(first.events.at(-1)).toMatchObject({
      type: 'done',
      status: 'done',
      seq: fake.updateSeq,
      rows: 6,
      removed: 1,
    });
    expect(JSON.parse(await held(fake, cache, published))).toMatchObject({ _rev: rev });
    expect(JSON.parse(await held(fake, cache, 'brand-new'))).toMatchObject({ name: 'brand-new' });
    expect(await held(fake, cache, deleted)).toBe('');
    expect(JSON.parse(await held(fake, cache, stub)).versions).toBeUndefined();
    expect(Object.keys(JSON.parse(await held(fake, cache, placeholder)).versions)).toEqual(['0.0.1-security']);
    const status = await runCli(['status', '--json', ...at(fake, cache).slice(0, 6)]);
    expect(status.events[0]?.['feed']).toMatchObject({ cursor: fake.updateSeq, lagChanges: 0, gone: 3, stale: 1 });
    fake.resetStats();
    expect(await runCli(['follow', '--once', '--json', ...at(fake, cache)])).toMatchObject({ code: 0 });
    expect(fake.stats().requests).toBeLessThan(5);
  });

  it('finds by reconciling what no feed told, and fetches only that', async () => {
    const fake = await startFake({ packages: 120, seed: 2 });
    const cache = tempDir();
    expect(await runCli(['bootstrap', '--store', store, ...at(fake, cache)])).toMatchObject({ code: 0 });
    const [changed] = plain(fake) as [string];
    const { rev } = fake.publish(changed);
    fake.publish('unheard-of');
    fake.resetStats();
    const { code, events } = await runCli(['reconcile', '--json', ...at(fake, cache)]);
    expect(code).toBe(0);
    expect(events.at(-1)).toMatchObject({ reconciled: { changed: 1, missing: 0, added: 1 }, fetched: { settled: 2 } });
    expect(fake.stats().requests).toBeLessThan(10);
    expect(JSON.parse(await held(fake, cache, changed))).toMatchObject({ _rev: rev });
  });

  it('notices that the sequences began anew, mends it by comparing names, and goes on from there', async () => {
    const fake = await startFake({ packages: 120, seed: 3 });
    const cache = tempDir();
    expect(await runCli(['bootstrap', '--store', store, ...at(fake, cache)])).toMatchObject({ code: 0 });
    expect(await runCli(['follow', '--once', ...at(fake, cache)])).toMatchObject({ code: 0 });
    const [changed, later] = plain(fake) as [string, string];
    const { rev } = fake.publish(changed);
    fake.shiftSequence(-400);
    fake.resetStats();
    const { events, code } = await runCli(['follow', '--once', '--json', ...at(fake, cache)]);
    expect(code).toBe(0);
    expect(events.filter(({ type }) => type === 'alarm')).toMatchObject([{ kind: 'epoch' }]);
    expect(events.at(-1)).toMatchObject({ status: 'done', seq: fake.updateSeq });
    expect(fake.stats().requests).toBeLessThan(15);
    expect(JSON.parse(await held(fake, cache, changed))).toMatchObject({ _rev: rev });
    const next = fake.publish(later);
    expect(await runCli(['follow', '--once', ...at(fake, cache)])).toMatchObject({ code: 0 });
    expect(JSON.parse(await held(fake, cache, later))).toMatchObject({ _rev: next.rev });
  });
});

describe('a replica of a replica', () => {
  it('follows it: publishes and removals come through, before and after the first one reconciled', async () => {
    const fake = await startFake({ packages: 120, seed: 5 });
    const [one, two] = [tempDir(), tempDir()];
    expect(await runCli(['bootstrap', '--store', 'sqlite', ...at(fake, one)])).toMatchObject({ code: 0 });
    const served = await serveFollowing(fake, one);
    const first = ['--origin', served.url, '--registry', `${served.url}/npm/`, '--cache', two, '--rate', '0'];
    expect(await runCli(['bootstrap', '--store', 'sqlite', ...first])).toMatchObject({ code: 0 });
    const [published, deleted, later] = plain(fake) as [string, string, string];
    const cursor = async () => JSON.parse((await ask(served.url, '/-/status.json')).text).feed.cursor;
    const follow = async () => {
      await until(async () => (await cursor()) === fake.updateSeq, 'the first replica is at the head');
      const { code, events } = await runCli(['follow', '--once', '--json', ...first]);
      expect([code, events.filter(({ type }) => type === 'alarm')]).toEqual([0, []]);
    };
    const show = async (name: string) => (await runCli(['packument', 'show', name, ...first.slice(2, 6)])).stdout;
    const { rev } = fake.publish(published);
    fake.remove(deleted, 'deleted');
    await follow();
    expect(JSON.parse(await show(published))).toMatchObject({ _rev: rev });
    expect(await show(deleted)).toBe('');
    expect(await runCli(['reconcile', ...at(fake, one)])).toMatchObject({ code: 0 });
    const next = fake.publish(later);
    await follow();
    expect(JSON.parse(await show(later))).toMatchObject({ _rev: next.rev });
    served.kill('SIGTERM');
    await served.done;
  });
});

it('compares all that was listed, also after it was killed while it listed', async () => {
  const fake = await startFake({ packages: 120, seed: 5 });
  const cache = tempDir();
  expect(await runCli(['bootstrap', '--depth', 'names', ...at(fake, cache)])).toMatchObject({ code: 0 });
  expect(await runCli(['bootstrap', '--end', 'c', ...at(fake, cache)])).toMatchObject({ code: 0 });
  fake.setFaults([{ fault: 'stall', kinds: ['allDocs'] }]);
  const asked = fake.stats().byKind.allDocs;
  const killed = startCli(['reconcile', '--json', ...at(fake, cache)]);
  await until(() => fake.stats().byKind.allDocs > asked, 'it lists');
  killed.kill('SIGKILL');
  await killed.done;
  fake.setFaults([]);
  const { events } = await runCli(['reconcile', '--json', ...at(fake, cache)]);
  expect(events.at(-1)).toMatchObject({ reconciled: { status: 'done', names: 120 } });
});

describe('serve --follow', () => {
  it('stops serving what was removed within one poll, over a restart too, and shows where it is', async () => {
    const fake = await startFake({ packages: 120, seed: 4 });
    const cache = tempDir();
    expect(await runCli(['bootstrap', '--store', 'sqlite', ...at(fake, cache)])).toMatchObject({ code: 0 });
    const [deleted, published] = plain(fake) as [string, string];
    const { dist } = Object.values(fake.packument(deleted)?.['versions'] as object)[0] as { dist: { tarball: string } };
    const tarball = `/npm${dist.tarball.slice(fake.url.length)}`;
    let served = await serveFollowing(fake, cache);
    expect((await ask(served.url, tarball)).status).toBe(200);
    expect((await ask(served.url, `/npm/${deleted}`)).status).toBe(200);
    fake.remove(deleted, 'deleted');
    const gone = async () => [
      (await ask(served.url, `/npm/${deleted}`)).status,
      (await ask(served.url, tarball)).status,
    ];
    await until(async () => (await gone()).join() === '404,404', 'it is gone');
    served.kill('SIGKILL');
    await served.done;
    served = await serveFollowing(fake, cache);
    expect(await gone()).toEqual([404, 404]);
    const { rev } = fake.publish(published);
    await until(
      async () => JSON.parse((await ask(served.url, `/npm/${published}`)).text)['_rev'] === rev,
      'it is what was published',
    );
    const status = async () => JSON.parse((await ask(served.url, '/-/status.json')).text).feed;
    await until(async () => (await status()).cursor === fake.updateSeq, 'the cursor is at the head');
    expect(await status()).toMatchObject({ lagChanges: 0, alarms: [], gone: 1 });
    expect((await ask(served.url, '/metrics')).text).toContain(`all_docs_feed_cursor ${fake.updateSeq}\n`);
    served.kill('SIGTERM');
    expect(await served.done).toMatchObject({ code: 143, signal: null });
  });

  it('is refused together with --offline', async () => {
    expect(await runCli(['serve', '--follow', '--offline', '--cache', tempDir()])).toMatchObject({ code: 2 });
  });
});
