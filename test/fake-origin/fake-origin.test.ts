import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { ask } from './client.ts';
import type { FakeOrigin, FaultRule } from './index.ts';
import { startFakeOrigin } from './index.ts';

let fake: FakeOrigin;
afterEach(() => fake.close());

async function start(faults: FaultRule[], more: { latencyMs?: number; packages?: number } = {}): Promise<void> {
  fake = await startFakeOrigin({ packages: 300, seed: 9, faults, ...more });
}

describe('faults', () => {
  it.each([
    ['429', 429],
    ['500', 500],
    ['502', 502],
    ['503', 503],
    ['html-200', 200],
    ['html-403', 403],
    ['html-404', 404],
  ] as const)('%s', async (fault, status) => {
    await start([{ fault, path: '^/a$' }]);
    const reply = await ask(fake.url, '/a');
    expect(reply.status).toBe(status);
    expect(reply.headers['content-type']).toMatch(fault === '500' ? /json/ : /html/);
    expect(fake.stats()).toMatchObject({ faults: { [fault]: 1 }, byStatus: { [status]: 1 } });
    expect([fake.requestsFor('a'), fake.requestsServed('a')]).toEqual([1, 0]);
    expect((await ask(fake.url, '/jquery')).status).toBe(200);
  });

  it('429 has every form of Retry-After', async () => {
    await start([]);
    const retryAfter = async (rule: Partial<FaultRule>) => {
      fake.setFaults([{ fault: '429', ...rule }]);
      return (await ask(fake.url, '/a')).headers['retry-after'];
    };
    expect(await retryAfter({})).toBeUndefined();
    expect(await retryAfter({ retryAfter: '1' })).toBe('1');
    expect(await retryAfter({ retryAfter: '0' })).toBe('0');
    const wait = Date.parse((await retryAfter({ retryAfter: 'date', afterSeconds: 7 })) as string) - Date.now();
    expect(wait).toBeGreaterThan(6000);
    expect(wait).toBeLessThan(8500);
    expect((await ask(fake.url, '/a')).text).toContain('error 1015');
  });

  it('reset comes before any header', async () => {
    await start([{ fault: 'reset' }]);
    await expect(ask(fake.url, '/a')).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(fake.stats().byStatus).toEqual({});
  });

  it('reset-body promises a length and gives half of it', async () => {
    await start([{ fault: 'reset-body' }]);
    const error = await ask(fake.url, '/a').catch(
      (cut: unknown) => cut as { received: Buffer; headers: Record<string, string> },
    );
    const { received, headers } = error as { received: Buffer; headers: Record<string, string> };
    expect(received.length).toBe(Math.floor(Number(headers['content-length']) / 2));
    expect(received.toString()).toBe(JSON.stringify(fake.packument('a')).slice(0, received.length));
    expect(fake.requestsServed('a')).toBe(0);
  });

  it('cut-body gives half in chunks', async () => {
    await start([{ fault: 'cut-body' }]);
    const error = await ask(fake.url, '/_all_docs').catch((cut: unknown) => cut);
    expect(error).toMatchObject({ headers: { 'transfer-encoding': 'chunked' } });
    expect((error as { received: Buffer }).received.length).toBeGreaterThan(1000);
  });

  it('rate-limit lets so many through in a second', async () => {
    await start([{ fault: 'rate-limit', perSecond: 5, retryAfter: '1', kinds: ['packument'] }]);
    const burst = async () =>
      (await Promise.all(Array.from({ length: 12 }, () => ask(fake.url, '/a')))).map((r) => r.status);
    expect((await burst()).filter((status) => status === 200).length).toBe(5);
    expect((await ask(fake.url, '/')).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 1050));
    expect((await burst()).filter((status) => status === 200).length).toBe(5);
    expect(fake.stats().faults).toEqual({ 'rate-limit': 14 });
  });
});

describe('rules', () => {
  const statuses = async (names: readonly string[]) => {
    const seen: [string, number][] = [];
    for (const name of names)
      for (let i = 0; i < 3; i++)
        seen.push([`${name} ${i}`, (await ask(fake.url, `/${encodeURIComponent(name)}`)).status]);
    return new Map(seen);
  };

  it('hit a share that does not depend on the order', async () => {
    await start([{ fault: '500', share: 0.2 }]);
    const names = [...fake.names()].slice(0, 150);
    const first = await statuses(names);
    fake.setFaults([{ fault: '500', share: 0.2 }]);
    expect(await statuses(names.toReversed())).toEqual(first);
    const share = [...first.values()].filter((status) => status === 500).length / 450;
    expect(share).toBeGreaterThan(0.14);
    expect(share).toBeLessThan(0.26);
  });

  it('hit a path so many times, in any spelling', async () => {
    await start([{ fault: '503', path: '^/@a/b$', times: 2 }]);
    const seen = [];
    for (const path of ['/@a%2fb', '/@a/b', '/@a%2Fb']) seen.push((await ask(fake.url, path)).status);
    expect(seen).toEqual([503, 503, 200]);
  });

  it('hit kinds and queries', async () => {
    await start([
      { fault: '502', kinds: ['allDocs'] },
      { fault: '500', path: '_changes.*since=7' },
    ]);
    const status = async (path: string) => (await ask(fake.url, path)).status;
    expect(
      await Promise.all(
        ['/_all_docs', '/registry/_all_docs', '/a', '/_changes?since=7', '/_changes?since=8'].map(status),
      ),
    ).toEqual([502, 502, 200, 500, 200]);
  });

  it('that are nonsense are refused', async () => {
    await start([]);
    for (const rules of [
      {},
      [{ fault: 'x' }],
      [{ fault: '500', share: 2 }],
      [{ fault: '500', path: '(' }],
      [{ fault: 'rate-limit' }],
    ]) {
      expect(() => fake.setFaults(rules as never)).toThrow();
      expect((await ask(fake.url, '/-/fake/faults', { method: 'POST', body: JSON.stringify(rules) })).status).toBe(400);
    }
  });
});

describe('statistics', () => {
  it('count kinds, states, names and flight; control requests apart', async () => {
    await start([], { latencyMs: 30 });
    const { headers } = await ask(fake.url, '/a');
    await Promise.all([
      ask(fake.url, '/a', { headers: { 'if-none-match': headers.etag as string } }),
      ask(fake.url, '/_all_docs'),
      ask(fake.url, '/'),
      ask(fake.url, '/nobody'),
      ask(fake.url, '/-/fake/stats'),
    ]);
    const stats = fake.stats();
    expect(stats).toMatchObject({ requests: 5, notModified: 1, maxInFlight: 4, byStatus: { 200: 3, 304: 1, 404: 1 } });
    expect(stats.byKind).toEqual({ root: 1, allDocs: 1, changes: 0, packument: 3, tarball: 0, control: 1, other: 0 });
    expect(stats.perName.get('a')).toEqual({ asked: 2, served: 2 });
    expect([...stats.perName.entries()]).toContainEqual(['nobody', { asked: 1, served: 0 }]);
    expect(stats.bytes).toBeGreaterThan(1000);
    fake.resetStats();
    expect(fake.stats()).toMatchObject({ requests: 0, bytes: 0, byStatus: {} });
    expect(fake.requestsFor('a')).toBe(0);
  });
});

describe('the program', () => {
  const run = (...flags: string[]) =>
    spawn(process.execPath, [fileURLToPath(new URL('main.ts', import.meta.url)), ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const ended = (child: ReturnType<typeof run>) => new Promise<number | null>((resolve) => child.once('exit', resolve));

  it('prints one line, is steered over HTTP, and ends on SIGTERM', async () => {
    await start([]);
    const child = run(
      '--packages',
      '150',
      '--seed',
      '2',
      '--sizes',
      'small',
      '--faults',
      '[{"fault":"500","path":"^/a$"}]',
    );
    const line = await new Promise<string>((resolve) =>
      child.stdout.once('data', (data: Buffer) => resolve(data.toString())),
    );
    expect(line).toMatch(/^\{"type":"listening","url":"http:\/\/127\.0\.0\.1:\d+","packages":150\}\n$/);
    const { url } = JSON.parse(line) as { url: string };
    const post = async (verb: string, body?: unknown) =>
      (await ask(url, `/-/fake/${verb}`, { method: 'POST', body: JSON.stringify(body ?? {}) })).status;
    expect((await ask(url, '/a')).status).toBe(500);
    expect(await post('faults', [])).toBe(200);
    expect((await ask(url, '/a')).status).toBe(200);
    expect(await post('publish', { name: 'brand-new' })).toBe(200);
    expect(await post('remove', { name: 'brand-new', how: 'deleted' })).toBe(200);
    expect(await post('remove', { name: 'brand-new', how: 'wrong' })).toBe(400);
    expect(await post('remove', { name: 'never-was', how: '404' })).toBe(400);
    expect((await ask(url, '/-/fake/names')).text.split('\n').length).toBe(151);
    const stats = JSON.parse((await ask(url, '/-/fake/stats?names=1')).text) as Record<string, unknown>;
    expect(stats).toMatchObject({ requests: 2, faults: { 500: 1 }, names: { a: { asked: 2, served: 1 } } });
    expect(await post('reset')).toBe(200);
    expect(await post('nothing')).toBe(404);
    const exit = ended(child);
    child.kill('SIGTERM');
    expect(await exit).toBe(0);
  });

  it.each([
    ['--packages', 'many'],
    ['--packages', '1', '--bogus'],
    ['--packages', '1', '--sizes', 'huge'],
    ['--packages', '1', '--faults', '[{}]'],
    [],
  ])('refuses %s %s %s', async (...flags) => {
    await start([]);
    expect(await ended(run(...flags))).toBe(2);
  });
});
