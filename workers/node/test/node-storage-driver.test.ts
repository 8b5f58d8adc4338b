import type { StoredEntry } from '@_all_docs/cache';
import { type FileSystem, NodeStorageDriver, nodeFileSystem } from '@_all_docs/worker-node';
import { createHash } from 'node:crypto';
import { access, chmod, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import cacache from 'cacache';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf, collect, inParallel, noise, sameBytes } from '../../../test/contract/_bytes.ts';
import { AWKWARD_NAMES } from '../../../test/contract/names.ts';
import { temporaryDirectory } from './_directory.ts';
import { run } from './_spawn.ts';

let directory: string;
let driver: NodeStorageDriver;
beforeEach(async () => {
  directory = await temporaryDirectory();
  driver = new NodeStorageDriver(directory);
});
afterEach(() => driver.close());

const entry = (body: string | Uint8Array, more: Partial<StoredEntry['metadata']> = {}): StoredEntry => {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  return { body: bytes, metadata: { storedAt: 1, encoding: 'identity', size: bytes.length, ...more } };
};
const textOf = (stored: StoredEntry | undefined) => stored && Buffer.from(stored.body).toString();

/** All files below a directory, relative to it. */
async function filesBelow(path: string): Promise<string[]> {
  const found = await readdir(path, { recursive: true, withFileTypes: true });
  return found.filter((each) => each.isFile()).map((each) => relative(path, join(each.parentPath, each.name)));
}

/** Every file with a hash of its bytes. */
async function picture(path: string): Promise<Record<string, string>> {
  const files = (await filesBelow(path)).sort();
  return Object.fromEntries(
    await Promise.all(
      files.map(async (file) => [
        file,
        createHash('sha256')
          .update(await readFile(join(path, file)))
          .digest('hex'),
      ]),
    ),
  );
}

/** Where cacache keeps a body. */
function bodyFile(body: string | Uint8Array): string {
  const hex = createHash('sha512').update(body).digest('hex');
  return join(directory, 'content-v2', 'sha512', hex.slice(0, 2), hex.slice(2, 4), hex.slice(4));
}

describe("npm's own cacache library", () => {
  const bodies = new Map(
    AWKWARD_NAMES.filter(({ text }) => text !== '__proto__').map(({ text }) => [text, `body of ${text}`]),
  );
  beforeEach(() => inParallel([...bodies], 8, ([key, body]) => driver.write(key, entry(body, { etag: 'e' }))));

  it('reads what we wrote', async () => {
    for (const [key, body] of bodies) {
      const { data, metadata } = await cacache.get(directory, key, { memoize: false });
      expect(data.toString()).toBe(body);
      expect(metadata).toMatchObject({ etag: 'e', encoding: 'identity' });
    }
  });

  it('lists what we wrote', async () => {
    await driver.delete('a');
    const listed = await cacache.ls(directory);
    expect(Object.keys(listed).sort()).toEqual([...bodies.keys()].filter((key) => key !== 'a').sort());
    expect(listed['b'] ?? listed['A']).toMatchObject({ metadata: { etag: 'e' } });
  });

  it('verifies it, and afterwards we still read everything', async () => {
    await driver.write('a', entry('newer'));
    await driver.write('twin', entry('newer'));
    await driver.touch('A', { etag: 'touched' });
    await driver.delete('twin');
    bodies.set('a', 'newer');
    const told = await cacache.verify(directory);
    expect(told).toMatchObject({ badContentCount: 0, missingContent: 0, rejectedEntries: 0 });
    for (const [key, body] of bodies) expect(textOf(await driver.read(key))).toBe(body);
    await driver.close();
    for (const [key, body] of bodies) expect(textOf(await driver.read(key))).toBe(body);
    expect((await collect(driver.list())).sort()).toEqual([...bodies.keys()].sort());
    expect(driver.missingBodies).toBe(0);
  });

  it('leaves our files alone when it verifies', async () => {
    await cacache.verify(directory);
    expect(await readdir(directory)).toEqual(
      expect.arrayContaining(['index.sqlite', 'lock.sqlite', 'content-v2', 'index-v5']),
    );
  });
});

describe('damage', () => {
  it("to cacache's index changes nothing that we read", async () => {
    const keys = Array.from({ length: 40 }, (_, i) => `key ${i}`);
    await inParallel(keys, 8, (key) => driver.write(key, entry(key)));
    await inParallel(keys, 8, (key) => driver.write(key, entry(`${key}, newer`)));
    const files = (await filesBelow(join(directory, 'index-v5'))).map((file) => join(directory, 'index-v5', file));
    expect(files.length).toBeGreaterThan(0);
    for (const [i, file] of files.entries()) {
      if (i % 4 === 0) await writeFile(file, '\ngarbage\t{"key":"key 1"}');
      else if (i % 4 === 1) await truncate(file, 60);
      else if (i % 4 === 2) await rm(file);
      else await writeFile(file, (await readFile(file, 'utf8')).split('\n').slice(0, 2).join('\n'));
    }
    for (const key of keys) expect(textOf(await driver.read(key))).toBe(`${key}, newer`);
    expect(await collect(driver.list())).toHaveLength(keys.length);
    for (const key of keys) await driver.write(key, entry(`${key}, newest`));
    for (const key of keys) expect(textOf(await driver.read(key))).toBe(`${key}, newest`);
    await inParallel(keys, 8, (key) => driver.delete(key));
    expect(await collect(driver.list())).toEqual([]);
  });

  it.each([
    [
      'one flipped bit',
      async (file: string) => {
        const bytes = await readFile(file);
        bytes[3] = (bytes[3] as number) ^ 1;
        await writeFile(file, bytes);
      },
    ],
    ['a cut', (file: string) => truncate(file, 5)],
    ['an empty file', (file: string) => truncate(file, 0)],
    ['more bytes at the end', async (file: string) => writeFile(file, `${await readFile(file, 'utf8')}more`)],
  ])('to a body (%s) is ERR_CORRUPT once, then a miss; the same bytes again are right', async (_, damage) => {
    const body = 'the right bytes';
    await driver.write('key', entry(body));
    await driver.write('twin', entry(body));
    await damage(bodyFile(body));
    expect(await codeOf(() => driver.read('key'))).toBe('ERR_CORRUPT');
    expect(await driver.read('key')).toBeUndefined();
    expect(await driver.read('twin')).toBeUndefined();
    expect(driver.missingBodies).toBe(2);
    await driver.write('key', entry(body));
    expect(textOf(await driver.read('key'))).toBe(body);
    // Its row went when its body was missed: it is fetched again like anything that is not held.
    expect(await driver.read('twin')).toBeUndefined();
    expect(await driver.head('twin')).toBeUndefined();
    expect(driver.missingBodies).toBe(2);
  });

  it('to a body is ERR_CORRUPT for get as well', async () => {
    await driver.set('key', { a: 1 });
    await writeFile(bodyFile('{"a":1}'), '{"a":2}');
    expect(await codeOf(() => driver.get('key'))).toBe('ERR_CORRUPT');
    expect(await driver.get('key')).toBeUndefined();
  });

  it('found by two readers at once is an error or a miss for both, never wrong bytes', async () => {
    const body = noise(100_000);
    await driver.write('key', entry(body));
    await writeFile(bodyFile(body), noise(100_000, 2));
    const ends = await Promise.allSettled(Array.from({ length: 8 }, () => driver.read('key')));
    for (const end of ends) {
      if (end.status === 'fulfilled') expect(end.value).toBeUndefined();
      else expect(end.reason.code).toBe('ERR_CORRUPT');
    }
    expect(ends.some(({ status }) => status === 'rejected')).toBe(true);
  });

  it('a body that is gone is a miss, counted once, also for whoever asks for the metadata alone', async () => {
    for (const ask of [() => driver.read('key'), () => driver.head('key'), () => driver.get('key')]) {
      const before = driver.missingBodies;
      await driver.write('key', entry('gone'));
      await rm(bodyFile('gone'));
      expect(await ask()).toBeUndefined();
      expect(await ask()).toBeUndefined();
      expect(driver.missingBodies).toBe(before + 1);
      await driver.touch('key', { etag: 'x' });
      expect(await driver.head('key')).toBeUndefined();
      await driver.write('key', entry('gone'));
      expect(textOf(await driver.read('key'))).toBe('gone');
    }
  });

  it('a body that cannot be read is ERR_STORAGE_READ, not a miss', async () => {
    await driver.write('key', entry('unreadable'));
    await rm(bodyFile('unreadable'));
    await mkdir(bodyFile('unreadable'));
    expect(await codeOf(() => driver.read('key'))).toBe('ERR_STORAGE_READ');
    expect(driver.missingBodies).toBe(0);
  });
});

describe('several processes', () => {
  it('write into one directory without error or a torn value', async () => {
    const names = ['one', 'two', 'three'];
    const children = names.map((name) => run('./_writer.ts', [directory, name]));
    for (const { ended } of children) expect(await ended).toMatchObject({ code: 0, stdout: 'done\n' });
    const keys = await collect(driver.list());
    expect(keys).toHaveLength(100 + names.length * 100);
    for (const key of keys) {
      const stored = await driver.read(key);
      const [, i] = /(\d+)$/.exec(key) as unknown as [string, string];
      expect(textOf(stored)).toBe(`${stored?.metadata.etag} `.repeat(1 + (Number(i) % 50)));
      expect(stored?.metadata.storedAt).toBe(Number(i));
    }
    expect(driver.missingBodies).toBe(0);
  });

  it("see each other's entries at once", async () => {
    await driver.set('ours', 1);
    const child = run('./_opener.ts', [directory, 'stay']);
    await child.said('ok');
    expect(await driver.get('opener')).toBe(child.pid);
    child.kill();
    await child.ended;
    expect(await driver.get('opener')).toBe(child.pid);
  });
});

describe('what a dead process left in tmp/', () => {
  const leave = async () => {
    await mkdir(join(directory, 'tmp', 'deep'), { recursive: true });
    await writeFile(join(directory, 'tmp', 'half'), 'half a body');
    await writeFile(join(directory, 'tmp', 'deep', 'half'), 'half a body');
  };
  const left = () =>
    access(join(directory, 'tmp', 'half')).then(
      () => true,
      () => false,
    );

  it('is removed at the next start', async () => {
    await driver.set('key', 1);
    await driver.close();
    await leave();
    expect(await driver.get('key')).toBe(1);
    expect(await left()).toBe(false);
    expect(await driver.get('key')).toBe(1);
  });

  it('is removed after a kill -9', async () => {
    const child = run('./_opener.ts', [directory, 'stay']);
    await child.said('ok');
    await leave();
    child.kill();
    await child.ended;
    expect(await driver.get('opener')).toBe(child.pid);
    expect(await left()).toBe(false);
  });

  it('is left alone while another process has the directory open', async () => {
    const child = run('./_opener.ts', [directory, 'stay']);
    await child.said('ok');
    await leave();
    await driver.set('key', 1);
    expect(await left()).toBe(true);
    await driver.close();
    child.kill();
    await child.ended;
    await driver.set('key', 2);
    expect(await left()).toBe(false);
  });

  it('is left alone while another driver of this process has the directory open', async () => {
    await driver.set('key', 1);
    await leave();
    const other = new NodeStorageDriver(directory);
    expect(await other.get('key')).toBe(1);
    expect(await left()).toBe(true);
    await other.close();
  });
});

describe('a directory that is not ours to use', () => {
  it('made by a newer version is ERR_CACHE_NEWER, and unchanged', async () => {
    await driver.set('key', 1);
    await driver.close();
    const path = join(directory, 'index.sqlite');
    const database = new DatabaseSync(path);
    const format = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
    database.exec(`PRAGMA user_version = ${format + 1}; PRAGMA wal_checkpoint(TRUNCATE)`);
    database.close();
    const before = await picture(directory);
    expect(await codeOf(() => driver.get('key'))).toBe('ERR_CACHE_NEWER');
    await driver.close();
    expect(await picture(directory)).toEqual(before);
  });

  it('with other files is ERR_CACHE_FOREIGN, and nothing in it is touched', async () => {
    await mkdir(join(directory, 'src'));
    await mkdir(join(directory, 'tmp'));
    await writeFile(join(directory, 'package.json'), '{}');
    await writeFile(join(directory, 'tmp', 'precious'), 'x');
    const before = await picture(directory);
    expect(await codeOf(() => driver.openDirectory())).toBe('ERR_CACHE_FOREIGN');
    expect(await codeOf(() => driver.write('key', entry('x')))).toBe('ERR_CACHE_FOREIGN');
    expect(await picture(directory)).toEqual(before);
    expect((await readdir(directory)).sort()).toEqual(['package.json', 'src', 'tmp']);
  });

  it("that is npm's own cache is ERR_CACHE_FOREIGN, and nothing in it is touched", async () => {
    await cacache.put(directory, 'make-fetch-happen:request-cache:x', 'x');
    const before = await picture(directory);
    expect(await codeOf(() => driver.set('key', 1))).toBe('ERR_CACHE_FOREIGN');
    expect(await picture(directory)).toEqual(before);
  });

  it.each([
    [
      'a database with tables',
      (path: string) => {
        const database = new DatabaseSync(path);
        database.exec('CREATE TABLE precious (x); INSERT INTO precious VALUES (1);');
        database.close();
      },
    ],
    [
      'a database with another application id',
      (path: string) => {
        const database = new DatabaseSync(path);
        database.exec('PRAGMA application_id = 7; PRAGMA user_version = 1;');
        database.close();
      },
    ],
    ['a text', (path: string) => writeFile(path, 'This is not a database. '.repeat(500))],
    ['a short text', (path: string) => writeFile(path, 'no')],
  ])("with somebody else's index.sqlite (%s) is ERR_CACHE_FOREIGN, and the file unchanged", async (_, make) => {
    await make(join(directory, 'index.sqlite'));
    await mkdir(join(directory, 'tmp'));
    await writeFile(join(directory, 'tmp', 'precious'), 'x');
    const before = await picture(directory);
    expect(await codeOf(() => driver.openDirectory())).toBe('ERR_CACHE_FOREIGN');
    expect(await picture(directory)).toEqual(before);
  });

  it('a file in its place is ERR_CACHE_UNWRITABLE', async () => {
    await rm(directory, { recursive: true });
    await writeFile(directory, 'a file');
    expect(await codeOf(() => driver.openDirectory())).toBe('ERR_CACHE_UNWRITABLE');
    const below = new NodeStorageDriver(join(directory, 'below'));
    expect(await codeOf(() => below.openDirectory())).toBe('ERR_CACHE_UNWRITABLE');
    expect(await readFile(directory, 'utf8')).toBe('a file');
  });

  it('a directory in place of the index is ERR_CACHE_UNWRITABLE', async () => {
    await mkdir(join(directory, 'index.sqlite'));
    expect(await codeOf(() => driver.openDirectory())).toBe('ERR_CACHE_UNWRITABLE');
  });

  it.each([
    ['a directory', (path: string) => mkdir(path)],
    ['a text', (path: string) => writeFile(path, 'This is not a database. '.repeat(500))],
  ])('%s in place of the lock has a code of ours', async (_, make) => {
    await driver.set('key', 1);
    await driver.close();
    await rm(join(directory, 'lock.sqlite'), { force: true });
    await make(join(directory, 'lock.sqlite'));
    expect(await codeOf(() => driver.openDirectory())).toMatch(/^ERR_CACHE_(UNWRITABLE|FOREIGN)$/);
  });

  describe.skipIf(process.getuid?.() !== 0)('as somebody without the right to write (off unless root)', () => {
    const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    it('an empty directory is ERR_CACHE_UNWRITABLE', async () => {
      await chmod(directory, 0o755);
      expect(await run('./_opener.ts', [directory], NOBODY).ended).toMatchObject({ stdout: 'ERR_CACHE_UNWRITABLE\n' });
      expect(await run('./_opener.ts', [join(directory, 'new')], NOBODY).ended).toMatchObject({
        stdout: 'ERR_CACHE_UNWRITABLE\n',
      });
      expect(await readdir(directory)).toEqual([]);
    });

    it("somebody else's replica is ERR_CACHE_UNWRITABLE, and unchanged", async () => {
      await driver.set('key', 1);
      await driver.close();
      await chmod(directory, 0o755);
      const before = await picture(directory);
      expect(await run('./_opener.ts', [directory], NOBODY).ended).toMatchObject({ stdout: 'ERR_CACHE_UNWRITABLE\n' });
      expect(await picture(directory)).toEqual(before);
      expect(await driver.get('key')).toBe(1);
    });

    it('a directory that cannot be looked into is ERR_CACHE_UNWRITABLE', async () => {
      await chmod(directory, 0o700);
      expect(await run('./_opener.ts', [directory], NOBODY).ended).toMatchObject({ stdout: 'ERR_CACHE_UNWRITABLE\n' });
    });
  });

  it("is not tried again behind the caller's back, but can be after close", async () => {
    await writeFile(join(directory, 'package.json'), '{}');
    expect(await codeOf(() => driver.read('key'))).toBe('ERR_CACHE_FOREIGN');
    await driver.close();
    await rm(join(directory, 'package.json'));
    expect(await driver.read('key')).toBeUndefined();
  });
});

describe('opening', () => {
  it('happens at the first call, and makes the directory', async () => {
    const deep = join(directory, 'a', 'b');
    const own = new NodeStorageDriver(deep);
    expect(await stat(join(directory, 'a')).catch(() => undefined)).toBeUndefined();
    expect(await own.read('key')).toBeUndefined();
    expect(await readdir(deep)).toEqual(expect.arrayContaining(['index.sqlite']));
    await own.close();
  });

  it('by many calls at once happens once', async () => {
    const calls: string[] = [];
    const own = new NodeStorageDriver(directory, { fs: recording(calls) });
    await Promise.all(Array.from({ length: 20 }, (_, i) => own.set(`key ${i}`, i)));
    expect(calls.filter((call) => call.startsWith('mkdir '))).toHaveLength(1);
    await own.close();
  });

  it('of rows alone works as well', async () => {
    expect(await driver.ordered.commit([{ key: 'mine', value: '1' }])).toBe(true);
    expect(await driver.ordered.get('mine')).toBe('1');
    expect(await collect(driver.list())).toEqual([]);
  });

  it('uses the given file system for our own file calls', async () => {
    const calls: string[] = [];
    const own = new NodeStorageDriver(directory, { fs: recording(calls) });
    await own.set('key', 1);
    await own.close();
    expect(calls.slice(0, 3)).toEqual([`mkdir ${directory}`, `readdir ${directory}`, `rm ${join(directory, 'tmp')}`]);
    const verbs = calls.slice(3).map((call) => call.split(' ')[0]);
    for (const verb of ['writeFileSync', 'renameSync', 'appendFileSync']) expect(verbs).toContain(verb);
  });

  it.each([
    ['mkdir', 'EACCES', 'ERR_CACHE_UNWRITABLE'],
    ['mkdir', 'EROFS', 'ERR_CACHE_UNWRITABLE'],
    ['readdir', 'EIO', 'ERR_CACHE_UNWRITABLE'],
    ['mkdir', 'ENOSPC', 'ERR_DISK_FULL'],
    ['rm', 'EACCES', 'ERR_CACHE_UNWRITABLE'],
  ] as const)('where %s fails with %s is %s, and lets go of the directory', async (verb, errno, code) => {
    const failing: FileSystem = {
      ...nodeFileSystem,
      [verb]: () => Promise.reject(Object.assign(new Error(errno), { code: errno })),
    };
    const own = new NodeStorageDriver(directory, { fs: failing });
    expect(await codeOf(() => own.openDirectory())).toBe(code);
    await own.close();
    await driver.set('key', 1);
    expect(await driver.get('key')).toBe(1);
  });

  /** The real file system, with every call noted. */
  function recording(calls: string[]): FileSystem {
    const recorded = Object.entries(nodeFileSystem).map(([verb, call]) => [
      verb,
      (path: string, ...more: unknown[]) => {
        calls.push(`${verb} ${path}`);
        return (call as (...args: unknown[]) => unknown)(path, ...more);
      },
    ]);
    return Object.fromEntries(recorded);
  }
});

it('dates what set stores by the given clock', async () => {
  const own = new NodeStorageDriver(directory, { clock: { now: () => 42, sleep: async () => {} } });
  await own.set('key', 1);
  expect((await own.head('key'))?.storedAt).toBe(42);
  await own.close();
});

it('keeps the body when only metadata is renewed', async () => {
  const body = noise(1_000_000);
  await driver.write('key', entry(body));
  const before = await stat(bodyFile(body));
  await driver.touch('key', { storedAt: 9 });
  expect((await stat(bodyFile(body))).mtimeMs).toBe(before.mtimeMs);
  expect(sameBytes((await driver.read('key'))?.body, body)).toBe(true);
});
