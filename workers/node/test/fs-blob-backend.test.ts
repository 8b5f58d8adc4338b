import { Hash, Store } from '@_all_docs/content';
import { type BlobFileSystem, createNodeHashers, FsBlobBackend, zstdCodec } from '@_all_docs/worker-node';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { codeOf, collect, noise, sameBytes } from '../../../test/contract/_bytes.ts';
import { temporaryDirectory } from './_directory.ts';
import { mountSmallDisk } from './_small-disk.ts';

const SMALL = 5_000;
const LARGE = 700_000;
const PATH = 'blobs/ab/abcd';

async function* pieces(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}
const filesIn = (root: string) =>
  fs.readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
const errno = (code: string) => Object.assign(new Error(`${code}: made up`), { code });

describe('on the disk', () => {
  it('a blob is one file with the bytes as they are, where its hash says', async () => {
    const root = await temporaryDirectory();
    const store = new Store({ backend: new FsBlobBackend(root), hashers: createNodeHashers(), codec: zstdCodec });
    const { hash } = await store.put(pieces(noise(LARGE)));
    expect(sameBytes(fs.readFileSync(join(root, 'blobs', hash.dir(), `${hash}`)), noise(LARGE))).toBe(true);
    expect(filesIn(root)).toBe(1);
    const text = await store.put(pieces(Buffer.from('text '.repeat(1_000))), { compress: true });
    expect(text.encoding).toBe('zstd');
    expect(fs.readFileSync(join(root, `${text.hash.path}.zst`)).readUInt32LE(0)).toBe(0xfd2fb528);
    expect((await (await store.get(text.hash))?.bytes())?.length).toBe(5_000);
  });

  it('content that is there already is not written again, but for its time', async () => {
    const root = await temporaryDirectory();
    const calls: string[] = [];
    const backend = new FsBlobBackend(root, { fs: recorder(calls) });
    await backend.write(PATH, pieces(noise(SMALL)));
    fs.utimesSync(join(root, PATH), 1, 1);
    const { ino } = fs.statSync(join(root, PATH));
    calls.length = 0;
    await backend.write(PATH, pieces(noise(SMALL)));
    expect(calls.filter((call) => /write|rename/.test(call))).toEqual([]);
    expect(fs.statSync(join(root, PATH)).ino).toBe(ino);
    expect((await backend.stat(PATH))?.modifiedAt).toBeGreaterThan(1_000_000);
  });

  it.each([
    '../secret',
    'blobs/../../secret',
    '/etc/passwd',
    'blobs/..',
    'blobs/.hidden',
    'blobs//a',
    'blobs/',
    'blobs',
    '',
    'tmp/a',
    'index.sqlite',
    'blobs/a\0b',
    'blobs/a\\b',
    'blobs/a\n',
  ])('nothing is touched but blobs: %j is ERR_BAD_KEY', async (path) => {
    const root = await temporaryDirectory();
    const backend = new FsBlobBackend(root);
    for (const work of [
      () => backend.read(path),
      () => backend.stat(path),
      () => backend.delete(path),
      () => backend.write(path, pieces(noise(SMALL))),
      () => backend.write(() => path, pieces(noise(LARGE))),
    ])
      expect(await codeOf(work)).toBe('ERR_BAD_KEY');
    expect(filesIn(root)).toBe(0);
  });

  it.skipIf(process.platform !== 'linux')('no file stays open, however reads and writes end', async () => {
    const root = await temporaryDirectory();
    const backend = new FsBlobBackend(root);
    await backend.write(PATH, pieces(noise(LARGE)));
    const openFiles = () =>
      fs.readdirSync('/proc/self/fd').filter((fd) => {
        try {
          return fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith(root);
        } catch {
          return false;
        }
      }).length;
    for (let i = 0; i < 20; i++) {
      const source = (await backend.read(PATH)) as AsyncIterable<Uint8Array>;
      if (i % 2 === 0) for await (const _ of source) break;
      const broken = async function* () {
        yield noise(LARGE);
        throw new Error('broke');
      };
      await backend.write('blobs/ab/broken', broken()).catch(() => undefined);
    }
    expect(openFiles()).toBe(0);
    expect(filesIn(root)).toBe(1);
  });
});

describe('trouble', () => {
  const calls = ['writevSync', 'renameSync', 'mkdirSync', 'open', 'writev', 'close'] as const;

  it.each(
    calls.flatMap((call) => [['ENOSPC', call, 'ERR_DISK_FULL'] as const, ['EIO', call, 'ERR_STORAGE_WRITE'] as const]),
  )('%s at %s is %s, and leaves nothing', async (code, call, expected) => {
    let failed = 0;
    for (const length of [SMALL, LARGE]) {
      const root = await temporaryDirectory();
      let hits = 0;
      const fail = () => {
        hits += 1;
        throw errno(code);
      };
      const backend = new FsBlobBackend(root, { fs: failing(call, fail) });
      const ended = await codeOf(() => backend.write(PATH, pieces(noise(length))));
      expect(ended).toBe(hits > 0 ? expected : undefined);
      if (hits === 0) continue;
      failed += 1;
      expect(filesIn(root)).toBe(0);
      expect(await collect(backend.list('blobs/'))).toEqual([]);
    }
    expect(failed).toBeGreaterThan(0);
  });

  it.each(['statSync', 'openSync', 'fstatSync', 'readSync', 'readdirSync'] as const)(
    'at %s of a reader is ERR_STORAGE_READ, never a miss',
    async (call) => {
      const root = await temporaryDirectory();
      await new FsBlobBackend(root).write(PATH, pieces(noise(SMALL)));
      const fail = () => {
        throw errno('EIO');
      };
      const backend = new FsBlobBackend(root, { fs: failing(call, fail) });
      const works = { readdirSync: () => collect(backend.list('blobs/')), statSync: () => backend.stat(PATH) };
      const work = call === 'readdirSync' || call === 'statSync' ? works[call] : () => backend.read(PATH);
      expect(await codeOf(work)).toBe('ERR_STORAGE_READ');
    },
  );

  it('a disk that writes a little at a time is no trouble', async () => {
    const root = await temporaryDirectory();
    const stingy = async (path: string, flags: 'r' | 'wx') => {
      const handle = await open(path, flags);
      const { writev } = handle;
      handle.writev = (async (buffers: Uint8Array[]) => {
        const [first = new Uint8Array()] = buffers;
        return writev.call(handle, [first.subarray(0, 10_001)]);
      }) as typeof writev;
      return handle;
    };
    const writevSync = ((descriptor: number, [first = new Uint8Array()]: Uint8Array[]) =>
      fs.writevSync(descriptor, [first.subarray(0, 1_001)])) as typeof fs.writevSync;
    const backend = new FsBlobBackend(root, { fs: { open: stingy, writevSync } });
    for (const length of [SMALL, 200_000, LARGE]) {
      await backend.write(PATH, pieces(noise(length)));
      expect(sameBytes(fs.readFileSync(join(root, PATH)), noise(length))).toBe(true);
    }
  });
});

describe('what a resolved write survives', () => {
  it('is a power cut where it is asked to: bytes before their name, then the folders', async () => {
    for (const length of [SMALL, LARGE]) {
      const root = await temporaryDirectory();
      const calls: string[] = [];
      const backend = new FsBlobBackend(root, { fs: recorder(calls), durability: 'power' });
      await backend.write(PATH, pieces(noise(length)));
      const named = calls.filter((call) => /sync|rename/.test(call)).map((call) => call.replaceAll(root, ''));
      // A rename is tried once more where the folder was missing.
      const told = [...new Set(named)];
      expect(told[0]).toMatch(/^(syncSync \/tmp|handle\.sync)/);
      expect(told.slice(1)).toEqual([
        expect.stringMatching(/^renameSync/),
        'syncSync /blobs/ab',
        'syncSync /blobs',
        'syncSync ',
      ]);
    }
  });

  it('is the end of the process otherwise, without waiting for the disk', async () => {
    const root = await temporaryDirectory();
    const calls: string[] = [];
    const backend = new FsBlobBackend(root, { fs: recorder(calls) });
    await backend.write(PATH, pieces(noise(LARGE)));
    await backend.write('blobs/ab/other', pieces(noise(SMALL)));
    expect(calls.filter((call) => call.includes('sync '))).toEqual([]);
    expect(calls.filter((call) => call.startsWith('syncSync'))).toEqual([]);
  });
});

const { path: small, missing, unmount } = await mountSmallDisk();

describe.skipIf(missing)('a full disk', () => {
  afterAll(unmount);

  it('is ERR_DISK_FULL, harms nothing that is there, and is over when there is room', async () => {
    const store = new Store({ backend: new FsBlobBackend(small), hashers: createNodeHashers() });
    const kept = new Map<string, number>();
    let seed = 0;
    for (const length of [LARGE, 50_000, 3_000]) {
      for (let failures = 0; failures < 3; ) {
        seed += 1;
        const own = seed;
        const code = await codeOf(async () => {
          const { hash } = await store.put(pieces(noise(length, own)));
          kept.set(hash.id, own);
        });
        if (code !== undefined) failures += 1;
        expect([undefined, 'ERR_DISK_FULL']).toContain(code);
      }
    }
    expect(kept.size).toBeGreaterThan(10);
    expect(filesIn(small)).toBe(kept.size);
    for (const [id, own] of kept) {
      const bytes = await (await store.get(Hash.parse(id)))?.bytes();
      expect(sameBytes(bytes, noise(bytes?.length ?? 0, own))).toBe(true);
    }
    execFileSync('mount', ['-o', 'remount,size=16m', small]);
    await store.put(pieces(noise(LARGE, 99_999)));
  });
});

/** The real file system, with every call noted down. */
function recorder(calls: string[]): Partial<BlobFileSystem> {
  const noted = (name: 'mkdirSync' | 'writevSync' | 'renameSync' | 'rmSync' | 'openSync' | 'utimesSync') => ({
    [name]: (...args: unknown[]) => {
      calls.push(`${name} ${args[0]}`);
      return (fs[name] as (...all: unknown[]) => unknown)(...args);
    },
  });
  return {
    ...noted('mkdirSync'),
    ...noted('writevSync'),
    ...noted('renameSync'),
    ...noted('rmSync'),
    ...noted('openSync'),
    ...noted('utimesSync'),
    syncSync: (path) => void calls.push(`syncSync ${path}`),
    async open(path, flags) {
      calls.push(`open ${path}`);
      const handle = await open(path, flags);
      const { sync } = handle;
      handle.sync = async () => {
        calls.push(`handle.sync ${path}`);
        await sync.call(handle);
      };
      return handle;
    },
  } as Partial<BlobFileSystem>;
}

/** The real file system, but for one call. */
function failing(call: string, fail: () => never): Partial<BlobFileSystem> {
  if (call !== 'writev' && call !== 'close') return { [call]: call === 'open' ? async () => fail() : fail };
  return {
    async open(path, flags) {
      const handle = await open(path, flags);
      const original = handle[call] as () => Promise<unknown>;
      return Object.assign(handle, {
        [call]: async () => {
          if (call === 'close') await original.call(handle);
          fail();
        },
      });
    },
  };
}
