import { createPackumentPrefix, createPartitionPrefix } from '@_all_docs/cache';
import { writeFileSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, it } from 'vitest';
import { ask } from '../fake-origin/client.ts';
import { type CliRun, only, type RunningCli, runCli, startCli, tempDir, until } from './cli.ts';
import { at, startFake } from './replica.ts';

interface Served extends RunningCli {
  url: string;
}

/** Serves a replica that asks nobody, as an origin for others. */
async function serve(cache: string, registry: string, ...more: string[]): Promise<Served> {
  const args = ['serve', '--json', '--offline', '--listen', '127.0.0.1:0', '--cache', cache, '--registry', registry];
  const running = startCli([...args, ...more]);
  const said = () => /"type":"listening","url":"([^"]+)"/.exec(running.printed().stdout)?.[1];
  await Promise.race([until(() => said() !== undefined, 'it listens'), running.done]);
  const url = said();
  if (url === undefined) throw new Error(`it does not listen: ${running.printed().stderr}`);
  return { ...running, url };
}

const sqlite = ['--store', 'sqlite'];
const copy = (origin: string, cache: string, ...more: string[]): Promise<CliRun> =>
  runCli([
    ...['bootstrap', '--json', '--origin', origin, '--registry', `${origin}/npm/`, '--cache', cache, '--rate', '0'],
    ...more,
  ]);

interface Entry {
  metadata: Record<string, unknown>;
  body: Buffer;
}

/** Entries of a replica in one SQLite file by what their keys say behind the origin, read without the command. */
function entries(cache: string, prefix: string): Map<string, Entry> {
  const database = new DatabaseSync(join(cache, 'index.sqlite'), { readOnly: true });
  try {
    const rows = database
      .prepare('SELECT key, metadata, body FROM entries WHERE substr(key, 1, ?) = ? ORDER BY key')
      .all(prefix.length, prefix) as { key: string; metadata: string; body: Uint8Array }[];
    return new Map(
      rows.map(({ key, metadata, body }) => [
        key.slice(prefix.length),
        { metadata: JSON.parse(metadata), body: Buffer.from(body) },
      ]),
    );
  } finally {
    database.close();
  }
}

const documents = (cache: string, registry: string) => entries(cache, createPackumentPrefix('packument', registry));

/** Stands between a replica and whoever copies it, and does something to the answers with documents. */
async function between(url: string, act: (turn: number) => { cutAfter?: number; flipAt?: number }) {
  let turn = 0;
  const proxy = createServer((incoming, outgoing) => {
    const acts = incoming.url?.startsWith('/-/documents') ? act(turn++) : {};
    const { hostname, port } = new URL(url);
    const { method, headers, url: path } = incoming;
    const asked = httpRequest({ hostname, port, path, method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode as number, answer.headers);
      let sent = 0;
      answer.on('data', (piece: Buffer) => {
        const { cutAfter = Number.POSITIVE_INFINITY, flipAt = -1 } = acts;
        const place = flipAt - sent;
        if (place >= 0 && place < piece.length) piece[place] = (piece[place] as number) ^ 0x55;
        sent += piece.length;
        if (sent > cutAfter) {
          outgoing.socket?.resetAndDestroy();
          asked.destroy();
        } else outgoing.write(piece);
      });
      answer.on('end', () => outgoing.end());
      answer.on('error', () => {});
    });
    asked.on('error', () => {});
    incoming.pipe(asked);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  proxies.push(proxy);
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, turns: () => turn };
}

const proxies: ReturnType<typeof createServer>[] = [];
afterAll(() => {
  for (const proxy of proxies) {
    proxy.closeAllConnections();
    proxy.close();
  }
});

describe('a replica as the origin of another', () => {
  it('is copied in a few requests to two levels deep, byte for byte, documents, metadata and listing', async () => {
    const fake = await startFake({ packages: 600, seed: 5 });
    const [first, second, third] = [tempDir(), tempDir(), tempDir()];
    expect(await runCli(['bootstrap', ...at(fake, first), ...sqlite])).toMatchObject({ code: 0 });
    const one = await serve(first, fake.url);
    expect(JSON.parse((await ask(one.url, '/')).text)).toMatchObject({ doc_count: 600 });

    const toSecond = only(await copy(one.url, second, ...sqlite), 'done');
    expect(toSecond).toMatchObject({ status: 'done', names: 600, stored: 600, failed: 0 });
    expect(toSecond['requests']).toBeLessThan(10);
    const two = await serve(second, `${one.url}/npm/`);
    expect(only(await copy(two.url, third, ...sqlite), 'done')).toMatchObject({ status: 'done', stored: 600 });

    const wanted = documents(first, fake.url);
    expect(wanted.size).toBe(600);
    expect(documents(second, `${one.url}/npm/`)).toEqual(wanted);
    expect(documents(third, `${two.url}/npm/`)).toEqual(wanted);
    const bodies = (cache: string, origin: string) =>
      [...entries(cache, createPartitionPrefix(origin))].map(([range, { body }]) => [range, body]);
    expect(bodies(second, one.url)).toEqual(bodies(first, fake.url));
    expect(bodies(third, two.url)).toEqual(bodies(first, fake.url));
    one.kill('SIGTERM');
    two.kill('SIGTERM');
    await Promise.all([one.done, two.done]);
  });

  it('renewed, only what differs crosses the wire', async () => {
    const fake = await startFake({ packages: 400, seed: 6 });
    const [first, second] = [tempDir(), tempDir()];
    const abbreviated = ['--form', 'abbreviated', ...sqlite];
    expect(await runCli(['bootstrap', ...at(fake, first), ...abbreviated])).toMatchObject({ code: 0 });
    const one = await serve(first, fake.url, '--form', 'abbreviated');
    expect(only(await copy(one.url, second, ...abbreviated), 'done')).toMatchObject({ stored: 400 });
    const again = only(await copy(one.url, second, ...abbreviated), 'done');
    expect(again).toMatchObject({ status: 'done', stored: 0, unchanged: 400 });
    expect(again['requests']).toBeLessThan(10);
    expect(again['bytes']).toBeLessThan(60_000);
    one.kill('SIGTERM');
    await one.done;
  });

  it('is copied by names alone, and by cacache from sqlite', async () => {
    const fake = await startFake({ packages: 120, seed: 7 });
    const [first, names, other] = [tempDir(), tempDir(), tempDir()];
    expect(await runCli(['bootstrap', ...at(fake, first), ...sqlite])).toMatchObject({ code: 0 });
    const one = await serve(first, fake.url);
    expect(only(await copy(one.url, names, '--depth', 'names'), 'done')).toMatchObject({ names: 120, requests: 4 });
    expect(only(await copy(one.url, other, '--store', 'cacache'), 'done')).toMatchObject({ stored: 120 });
    const verified = await runCli(['packument', 'verify', '--json', '--cache', other, '--registry', `${one.url}/npm/`]);
    expect(verified).toMatchObject({ code: 0 });
    one.kill('SIGTERM');
    await one.done;
  });

  it.each([
    ['cut', { cutAfter: 30_000 }],
    ['damaged', { flipAt: 30_000 }],
  ])('when the stream is %s on its way, all documents are there in the end, each the right one', async (_, harm) => {
    const fake = await startFake({ packages: 300, seed: 8 });
    const [first, second] = [tempDir(), tempDir()];
    expect(await runCli(['bootstrap', ...at(fake, first), ...sqlite])).toMatchObject({ code: 0 });
    const one = await serve(first, fake.url);
    const way = await between(one.url, (turn) => (turn < 2 ? harm : {}));
    expect(only(await copy(way.url, second, ...sqlite), 'done')).toMatchObject({
      status: 'done',
      stored: 300,
      failed: 0,
    });
    expect(way.turns()).toBeGreaterThan(0);
    const [wanted, got] = [documents(first, fake.url), documents(second, `${way.url}/npm/`)];
    expect([...got.keys()]).toEqual([...wanted.keys()]);
    let asIs = 0;
    for (const [key, { body, metadata }] of got) {
      const isSame = body.equals((wanted.get(key) as Entry).body);
      asIs += Number(isSame);
      // What was asked for by name came over npm's routes, which write tarball URLs of their own.
      if (!isSame) expect(metadata['etag']).not.toBe(wanted.get(key)?.metadata['etag']);
    }
    expect(asIs).toBeGreaterThanOrEqual(298);
    one.kill('SIGTERM');
    await one.done;
  });

  it('goes on showing everything when a part of it was listed again with other cuts', async () => {
    const fake = await startFake({ packages: 300, seed: 4 });
    const first = tempDir();
    const [names, cuts] = [[...fake.names()], tempDir()];
    const pivots = join(cuts, 'pivots.json');
    writeFileSync(pivots, JSON.stringify([names[100], names[120], names[140], names[200]]));
    expect(await runCli(['bootstrap', '--depth', 'names', '--pivots', pivots, ...at(fake, first)])).toMatchObject({
      code: 0,
    });
    const part = ['--start', names[90] as string, '--end', names[210] as string];
    expect(await runCli(['bootstrap', '--depth', 'names', ...part, ...at(fake, first)])).toMatchObject({ code: 0 });
    const one = await serve(first, fake.url);
    const { rows } = JSON.parse((await ask(one.url, '/_all_docs')).text);
    expect(rows.map(({ id }: { id: string }) => id)).toEqual(names);
    one.kill('SIGTERM');
    await one.done;
  });

  it('that listed a part only says so, and a bootstrap from it fails instead of making a short copy', async () => {
    const fake = await startFake({ packages: 100, seed: 9 });
    const [first, second] = [tempDir(), tempDir()];
    expect(await runCli(['bootstrap', '--scope', '@types', ...at(fake, first)])).toMatchObject({ code: 0 });
    const one = await serve(first, fake.url);
    const { status, text } = await ask(one.url, '/_all_docs');
    expect(status).toBe(503);
    expect(JSON.parse(text)).toMatchObject({ code: 'ERR_NO_LISTING' });
    const { code, stdout, stderr } = await copy(one.url, second);
    expect(code).toBe(1);
    expect(stdout + stderr).toContain('503');
    one.kill('SIGTERM');
    await one.done;
  });
});
