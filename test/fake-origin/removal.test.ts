import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ask } from './client.ts';
import type { FakeOrigin } from './index.ts';
import { startFakeOrigin } from './index.ts';

interface Packument {
  _rev: string;
  'dist-tags': { latest: string };
  versions: Record<string, { dist: { tarball: string } }>;
  time: Record<string, unknown>;
}

let fake: FakeOrigin;
let name: string;
beforeEach(async () => {
  fake = await startFakeOrigin({ packages: 200, seed: 5 });
  name = [...fake.names()].filter((each) => /^[a-z]+$/.test(each))[0] as string;
  fake.publish(name);
});
afterEach(() => fake.close());

const status = async (path: string) => (await ask(fake.url, path)).status;
const packument = () => fake.packument(name) as unknown as Packument;
const served = async (query = '', accept = 'application/json') =>
  JSON.parse((await ask(fake.url, `/${name}${query}`, { headers: { accept } })).text) as Packument;

describe('a version that is taken away', () => {
  it('vanishes from versions, tags and tarballs; its date stays', async () => {
    const before = packument();
    const latest = before['dist-tags'].latest;
    const tarball = new URL(before.versions[latest]?.dist.tarball as string).pathname;
    expect(await status(tarball)).toBe(200);
    const { rev } = fake.remove(name, 'version');
    const after = packument();
    expect(Object.keys(after.versions)).toEqual(Object.keys(before.versions).filter((version) => version !== latest));
    expect(after['dist-tags'].latest).toBe(Object.keys(after.versions).at(-1));
    expect(after.time[latest]).toBe(before.time[latest]);
    expect([after._rev, await status(tarball), fake.has(name)]).toEqual([rev, 404, true]);
    expect(Object.keys((await served('', 'application/vnd.npm.install-v1+json')).versions)).not.toContain(latest);
  });

  it('is never used again', () => {
    const gone = packument()['dist-tags'].latest;
    fake.remove(name, 'version');
    fake.publish(name);
    expect(Object.keys(packument().versions)).not.toContain(gone);
    expect(packument()['dist-tags'].latest).not.toBe(gone);
  });

  it('is not the only one', () => {
    for (let left = Object.keys(packument().versions).length; left > 1; left--) fake.remove(name, 'version');
    expect(() => fake.remove(name, 'version')).toThrow(/no version/);
    fake.remove(name, 'unpublished');
    expect(() => fake.remove(name, 'version')).toThrow(/no version/);
  });
});

describe('a silent removal', () => {
  it('leaves no row: the name is off the list and its document a 404', async () => {
    const [seq, count] = [fake.updateSeq, fake.count];
    fake.remove(name, 'silent');
    expect([fake.updateSeq, fake.count, fake.has(name)]).toEqual([seq, count - 1, false]);
    expect(await status(`/${name}`)).toBe(404);
    fake.publish(name);
    expect([fake.has(name), await status(`/${name}`)]).toEqual([true, 200]);
  });
});

describe('time-unpublished', () => {
  it('is said of a package that has versions, in the full form', async () => {
    fake.setFaults([{ fault: 'time-unpublished' }]);
    const document = await served();
    expect(document.time['unpublished']).toMatchObject({ versions: ['0.0.0'] });
    expect(Object.keys(document.versions)).toEqual(Object.keys(packument().versions));
    expect(fake.stats().faults).toEqual({ 'time-unpublished': 1 });
  });
});

describe('lag', () => {
  it('answers a changed document as it was, for so many requests, unless the URL has a query', async () => {
    fake.setLag({ requests: 3 });
    const before = fake.rev(name);
    const { rev } = fake.publish(name);
    const etag = async () => (await ask(fake.url, `/${name}`)).headers.etag;
    expect((await served())._rev).toBe(before);
    expect((await served('?write=true'))._rev).toBe(rev);
    const old = await etag();
    fake.publish(name);
    expect((await served())._rev).toBe(before);
    expect((await served())._rev).toBe(fake.rev(name));
    expect(await etag()).not.toBe(old);
  });

  it('keeps what is gone, and the 404 of what is new', async () => {
    fake.setLag({ requests: 1 });
    fake.remove(name, 'deleted');
    expect([await status(`/${name}`), await status(`/${name}`)]).toEqual([200, 404]);
    fake.publish('quite-new');
    expect(await status('/quite-new?x=1')).toBe(200);
    expect([await status('/quite-new'), await status('/quite-new')]).toEqual([404, 200]);
  });

  it('ends when it is taken back, or with its time', async () => {
    fake.setLag({ ms: 60_000 });
    const { rev } = fake.publish(name);
    expect((await served())._rev).not.toBe(rev);
    fake.setLag(undefined);
    expect((await served())._rev).toBe(rev);
    fake.setLag({ ms: 0 });
    const now = fake.publish(name).rev;
    expect((await served())._rev).toBe(now);
    expect(() => fake.setLag({ requests: -1 })).toThrow(TypeError);
  });

  it('is steered from another process too', async () => {
    await ask(fake.url, '/-/fake/lag', { method: 'POST', body: '{"requests":1}' });
    const { rev } = fake.publish(name);
    expect((await served())._rev).not.toBe(rev);
    expect((await ask(fake.url, '/-/fake/lag', { method: 'POST', body: '{"ms":-1}' })).status).toBe(400);
  });
});
