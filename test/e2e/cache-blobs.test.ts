import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../fake-origin/client.ts';
import type { FakeOrigin } from '../fake-origin/index.ts';
import { servedIntegrities, serveOffline, startServe, tarballRows, type Version, versionsOf } from './_tarballs.ts';
import { only, runCli, tempDir } from './cli.ts';
import { alterIndex, at, contentPath, held, indexRows, keyOf, startFake } from './replica.ts';

const STORES = ['cacache', 'sqlite'] as const;
type Kind = (typeof STORES)[number];
let fake: FakeOrigin;
let versions: Version[];

beforeAll(async () => {
  fake = await startFake({ packages: 30, seed: 61, tarballs: 'named' });
  versions = [...fake.names()].flatMap((name) => versionsOf(fake, name));
});

/** A replica of everything. */
async function replica(store: Kind): Promise<string> {
  const cache = tempDir();
  const run = await runCli(['bootstrap', '--depth', 'tarballs', '--store', store, ...at(fake, cache)]);
  expect(run.code, run.stderr).toBe(0);
  return cache;
}

const blobPath = (cache: string, id: string) => join(cache, 'blobs', id.slice(0, 2), id);

function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
  writeFileSync(path, bytes);
}

function filesIn(path: string): string[] {
  if (!existsSync(path)) return [];
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  return files.map(({ parentPath, name }) => join(parentPath, name));
}

function fingerprintOf(path: string): Map<string, string> {
  const digest = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
  return new Map(filesIn(path).map((file) => [file, digest(file)]));
}

const sizeOf = async (cache: string) => only(await runCli(['cache', 'size', '--json', '--cache', cache]), 'size');
const verify = (cache: string, ...flags: string[]) => runCli(['cache', 'verify', '--json', '--cache', cache, ...flags]);

/** A replica that holds only what clients asked for: documents and tarballs. */
async function pulled(store: Kind): Promise<string> {
  const cache = tempDir();
  const served = await startServe(['--store', store, ...held(fake, cache)]);
  expect(await servedIntegrities(served, fake, versions.slice(0, 8))).toEqual(
    versions.slice(0, 8).map(({ dist }) => dist.integrity),
  );
  const abbreviated = { headers: { accept: 'application/vnd.npm.install-v1+json' } };
  const { name } = versions[0] as Version;
  expect(await ask(served.url, `/npm/${name.replace('/', '%2f')}`, abbreviated)).toMatchObject({ status: 200 });
  served.kill('SIGTERM');
  await served.done;
  return cache;
}

describe.each(STORES)('cache size, %s', (store) => {
  it('counts documents, tarballs and blobs, their bytes, and what they take on the disk', async () => {
    const cache = await replica(store);
    const rows = tarballRows(cache);
    const blobs = new Map(rows.map(({ blob, size }) => [blob, size]));
    const size = await sizeOf(cache);
    expect(size).toMatchObject({
      documents: { entries: 30 },
      derived: { entries: 0, bytes: 0 },
      tarballs: {
        rows: versions.length,
        pinned: versions.length,
        blobs: blobs.size,
        bytes: [...blobs.values()].reduce((sum, bytes) => sum + bytes, 0),
      },
    });
    const allocated = filesIn(join(cache, 'blobs')).reduce((sum, file) => sum + statSync(file).blocks * 512, 0);
    expect(size['tarballs'].diskBytes).toBeGreaterThanOrEqual(allocated);
    expect(size['diskBytes']).toBeGreaterThan(size['tarballs'].diskBytes);
    const { stdout } = await runCli(['cache', 'size', '--cache', cache]);
    expect(stdout).toMatch(new RegExp(`^tarballs +${versions.length}, ${versions.length} of them never evicted$`, 'm'));
  });
});

describe.each(STORES)('cache verify, %s', (store) => {
  it('proves a whole replica and changes nothing', async () => {
    const cache = await replica(store);
    const before = fingerprintOf(cache);
    const run = await verify(cache);
    expect(fingerprintOf(cache)).toEqual(before);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(only(run, 'done')).toMatchObject({
      rows: versions.length,
      blobs: new Set(tarballRows(cache).map(({ blob }) => blob)).size,
      orphans: 0,
      damaged: 0,
      missing: 0,
      removed: 0,
    });
    const last = run.events.filter(({ type }) => type === 'progress').at(-1);
    expect(last?.['done']).toBe(last?.['total']);
  });

  it('finds damaged documents, damaged and missing blobs; --fix removes them, and a bootstrap fetches them again', async () => {
    const cache = await replica(store);
    const all = only(await verify(cache), 'done');
    const [flipped, gone] = [...new Set(tarballRows(cache).map(({ blob }) => blob))] as [string, string];
    const referring = (blob: string) => tarballRows(cache).filter((row) => row.blob === blob).length;
    const lost = referring(flipped) + referring(gone);
    const missing = referring(gone);
    flip(blobPath(cache, flipped));
    rmSync(blobPath(cache, gone));
    const document = keyOf(fake, [...fake.names()][3] as string);
    if (store === 'cacache') flip(contentPath(cache, indexRows(cache).get(document)?.integrity ?? ''));
    else alterIndex(cache, "UPDATE entries SET body = CAST('other' AS BLOB) WHERE key = ?", document);
    const before = fingerprintOf(cache);

    const run = await verify(cache);
    expect(run.code).toBe(5);
    expect(only(run, 'done')).toMatchObject({ damaged: 2, missing, removed: 0 });
    expect(run.stderr).toContain(`ERR_CORRUPT: ${document}`);
    expect(run.stderr).toContain(`ERR_BLOB_DAMAGED: the bytes of the blob ${flipped}`);
    expect(run.stderr).toMatch(new RegExp(`ERR_BLOB_MISSING: v1:version:.*${gone} is gone`));
    expect(fingerprintOf(cache)).toEqual(before);

    const fixed = await verify(cache, '--fix');
    expect(fixed.code).toBe(5);
    expect(only(fixed, 'done')).toMatchObject({ damaged: 2, missing, removed: 2 + lost });
    const after = await verify(cache);
    expect(after).toMatchObject({ code: 0, stderr: '' });
    expect(only(after, 'done')).toMatchObject({ entries: all['entries'] - 1, rows: all['rows'] - lost });

    const again = await runCli(['bootstrap', '--depth', 'tarballs', '--json', ...at(fake, cache)]);
    expect(only(again, 'done')).toMatchObject({ stored: 1, tarballs: { stored: lost } });
    const { blobs, rows, entries } = all;
    expect(only(await verify(cache), 'done')).toMatchObject({ blobs, rows, entries, damaged: 0, missing: 0 });
  });

  it('counts blobs that nothing refers to, which are no damage', async () => {
    const cache = await replica(store);
    alterIndex(cache, "DELETE FROM rows WHERE key LIKE 'v1:version:%' OR key LIKE ?", 'v1:blob:%');
    const run = await verify(cache);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(only(run, 'done')).toMatchObject({ orphans: filesIn(join(cache, 'blobs')).length, rows: 0 });
  });

  it('--storage: where blobs lie elsewhere; --fix without it removes nothing', async () => {
    const cache = await replica(store);
    const elsewhere = join(tempDir(), 'blobs-of-it');
    mkdirSync(elsewhere);
    renameSync(join(cache, 'blobs'), join(elsewhere, 'blobs'));
    expect(await verify(cache, '--storage', elsewhere)).toMatchObject({ code: 0, stderr: '' });
    expect(only(await verify(cache), 'done')).toMatchObject({ missing: versions.length });
    const run = await verify(cache, '--fix');
    expect(run).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error ERR_STORAGE_READ: .*--storage DIR\n$/),
    });
    expect(tarballRows(cache).length).toBe(versions.length);
    const size = await runCli(['cache', 'size', '--json', '--cache', cache, '--storage', elsewhere]);
    expect(only(size, 'size')['tarballs'].diskBytes).toBeGreaterThan(0);
  });
});

describe.each(STORES)('cache clear, %s', (store) => {
  it('removes what was fetched for clients, and keeps what was bootstrapped', async () => {
    const cache = await pulled(store);
    const before = await sizeOf(cache);
    expect(before).toMatchObject({ tarballs: { pinned: 0 } });
    expect(before['tarballs'].rows).toBeGreaterThan(0);
    expect(before['documents'].entries).toBeGreaterThan(0);
    const [kept] = versions as [Version];
    const { name } = kept;
    const fetched = await runCli(['packument', 'fetch', name, ...at(fake, cache)]);
    expect(fetched.code, fetched.stderr).toBe(0);

    const run = await runCli(['cache', 'clear', '--yes', '--json', '--cache', cache]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(only(run, 'done')).toMatchObject({ tarballs: before['tarballs'].rows, entries: 0 });
    expect(await sizeOf(cache)).toMatchObject({
      documents: { entries: 1 },
      derived: { entries: 0 },
      tarballs: { rows: 0, blobs: 0 },
    });
    expect(filesIn(join(cache, 'blobs'))).toEqual([]);

    const whole = await replica(store);
    const all = await sizeOf(whole);
    const nothing = await runCli(['cache', 'clear', '--yes', '--cache', whole]);
    expect(nothing).toMatchObject({ code: 0, stdout: 'removed: nothing\n' });
    expect(await sizeOf(whole)).toMatchObject({ entries: all['entries'], tarballs: all['tarballs'] });
    expect(await verify(whole)).toMatchObject({ code: 0 });
  });

  it('beside a running server: what it holds can be proved and cleared, and it goes on answering', async () => {
    const cache = tempDir();
    const some = versions.slice(0, 6);
    const wanted = some.map(({ dist }) => dist.integrity);
    const served = await startServe(['--store', store, ...held(fake, cache)]);
    expect(await servedIntegrities(served, fake, some)).toEqual(wanted);
    expect(await verify(cache)).toMatchObject({ code: 0, stderr: '' });
    for (const flags of [[], ['--all']]) {
      expect(await runCli(['cache', 'clear', '--yes', ...flags, '--cache', cache])).toMatchObject({ code: 0 });
      expect(await servedIntegrities(served, fake, versions.slice(0, 12))).toEqual(
        versions.slice(0, 12).map(({ dist }) => dist.integrity),
      );
      expect(await verify(cache)).toMatchObject({ code: 0, stderr: '' });
    }
    served.kill('SIGTERM');
    await served.done;
    expect(served.printed().stderr).not.toMatch(/error/i);
  });

  it('--all leaves an empty replica, which a bootstrap fills again', async () => {
    const cache = await replica(store);
    const run = await runCli(['cache', 'clear', '--all', '--yes', '--cache', cache]);
    expect(run).toMatchObject({ code: 0, stdout: expect.stringMatching(/^removed: .*tarballs.*blobs/) });
    expect(await sizeOf(cache)).toMatchObject({ entries: 0, bytes: 0, tarballs: { rows: 0, blobs: 0 }, store });
    expect(filesIn(join(cache, 'blobs'))).toEqual([]);
    const again = await runCli(['bootstrap', '--depth', 'tarballs', '--json', ...at(fake, cache)]);
    expect(only(again, 'done')).toMatchObject({ stored: 30, tarballs: { stored: versions.length } });
  });

  it('removes nothing that nobody confirmed, and nothing of a directory that is no replica', async () => {
    const cache = await pulled(store);
    const before = await sizeOf(cache);
    for (const flags of [[], ['--all'], ['--pulled']]) {
      const run = await runCli(['cache', 'clear', ...flags, '--cache', cache]);
      expect(run).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringMatching(/^error ERR_NOT_CONFIRMED: .*--yes\n$/),
      });
    }
    expect(await runCli(['cache', 'clear', '--all', '--pulled', '--yes', '--cache', cache])).toMatchObject({ code: 2 });
    expect((await sizeOf(cache))['entries']).toBe(before['entries']);
    const other = tempDir();
    writeFileSync(join(other, 'mine.txt'), 'mine');
    for (const directory of [other, join(other, 'nowhere')]) {
      const run = await runCli(['cache', 'clear', '--all', '--yes', '--cache', directory]);
      expect(run).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error ERR_CACHE_FOREIGN/) });
    }
    expect(readdirSync(other)).toEqual(['mine.txt']);
  });
});

describe.each([
  ['cacache', 'sqlite'],
  ['sqlite', 'cacache'],
] as const)('cache import with tarballs, %s to %s', (from, to) => {
  const importFrom = (source: string, cache: string, ...flags: string[]) =>
    runCli(['cache', 'import', source, '--json', '--store', to, '--cache', cache, ...flags]);

  it('brings every tarball, pinned, and serves them offline; again there is nothing to copy', async () => {
    const source = await replica(from);
    const blobs = new Set(tarballRows(source).map(({ blob }) => blob)).size;
    const before = fingerprintOf(source);
    const cache = join(tempDir(), 'new');
    const run = await importFrom(source, cache);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(only(run, 'done')).toMatchObject({
      tarballs: { copied: versions.length, held: 0, damaged: 0, linked: blobs },
      runs: 1,
    });
    expect(fingerprintOf(source)).toEqual(before);
    expect(tarballRows(cache).every(({ pinned }) => pinned === true)).toBe(true);
    expect(await verify(cache)).toMatchObject({ code: 0, stderr: '' });
    expect(only(await importFrom(source, cache), 'done')).toMatchObject({
      copied: 0,
      tarballs: { copied: 0, held: versions.length },
    });
    const served = await serveOffline(held(fake, cache));
    expect(await servedIntegrities(served, fake, versions)).toEqual(versions.map(({ dist }) => dist.integrity));
    served.kill('SIGTERM');
    await served.done;
    fake.resetStats();
    const next = await runCli(['bootstrap', '--depth', 'tarballs', '--json', ...at(fake, cache)]);
    expect(only(next, 'done')).toMatchObject({ status: 'done', tarballs: { stored: 0 } });
    expect(fake.stats().byKind).toMatchObject({ tarball: 0 });
  });

  it('keeps what was pulled through at the source, and leaves out what was derived', async () => {
    const source = await pulled(from);
    const was = await sizeOf(source);
    expect(was['derived'].entries).toBeGreaterThan(0);
    const cache = tempDir();
    expect(await importFrom(source, cache)).toMatchObject({ code: 0 });
    expect(await runCli(['cache', 'clear', '--yes', '--cache', cache])).toMatchObject({ stdout: 'removed: nothing\n' });
    const { rows, blobs } = was['tarballs'];
    expect(await sizeOf(cache)).toMatchObject({
      documents: was['documents'],
      derived: { entries: 0 },
      tarballs: { rows, blobs, pinned: rows },
    });
  });

  it('leaves out damaged and missing blobs and the runs that count on them, exit 5', async () => {
    const source = await replica(from);
    const [flipped, gone] = [...new Set(tarballRows(source).map(({ blob }) => blob))] as [string, string];
    const lost = tarballRows(source).filter(({ blob }) => blob === flipped || blob === gone).length;
    flip(blobPath(source, flipped));
    rmSync(blobPath(source, gone));
    const before = fingerprintOf(source);
    const cache = tempDir();
    const run = await importFrom(source, cache);
    expect(run.code).toBe(5);
    expect(only(run, 'done')).toMatchObject({ runs: 0, tarballs: { copied: versions.length - lost, damaged: lost } });
    for (const code of ['ERR_BLOB_DAMAGED', 'ERR_BLOB_MISSING']) expect(run.stderr).toContain(code);
    expect(fingerprintOf(source)).toEqual(before);
    expect(await verify(cache)).toMatchObject({ code: 0 });
    const next = await runCli(['bootstrap', '--depth', 'tarballs', '--json', ...at(fake, cache)]);
    expect(only(next, 'done')).toMatchObject({ status: 'done', tarballs: { stored: lost } });
  });

  it('blobs that lie elsewhere: said with --from-storage and --storage, else refused before anything is made', async () => {
    const source = await replica(from);
    const elsewhere = tempDir();
    renameSync(join(source, 'blobs'), join(elsewhere, 'blobs'));
    const [cache, storage] = [join(tempDir(), 'new'), tempDir()];
    const refused = await importFrom(source, cache);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/ERR_STORAGE_READ: .*--from-storage DIR/) });
    expect(existsSync(cache)).toBe(false);
    const run = await importFrom(source, cache, '--from-storage', elsewhere, '--storage', storage);
    expect(only(run, 'done')).toMatchObject({ tarballs: { copied: versions.length } });
    expect(existsSync(join(cache, 'blobs'))).toBe(false);
    expect(await verify(cache, '--storage', storage)).toMatchObject({ code: 0, stderr: '' });
  });
});
