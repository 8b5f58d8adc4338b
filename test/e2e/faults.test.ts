import { describe, expect, it } from 'vitest';
import type { FakeOrigin, FaultRule } from '../fake-origin/index.ts';
import { type CliRun, only, runCli, tempDir, tempFile } from './cli.ts';
import { at, byBytes, expectHeld, held, startFake, truth, truths } from './replica.ts';

/** All documents, in partitions of fifteen names, so that pages are asked often enough to be hit. */
async function bootstrapAll(fake: FakeOrigin, cache: string, ...more: string[]): Promise<CliRun> {
  const pivots = [...fake.names()].filter((_, i) => i > 0 && i % 15 === 0);
  return runCli([
    'bootstrap',
    '--json',
    '--pivots',
    tempFile('pivots.json', JSON.stringify(pivots)),
    ...at(fake, cache),
    ...more,
  ]);
}

function expectWhole(run: CliRun, count: number): void {
  const done = run.events.find(({ type }) => type === 'done');
  const said = {
    code: run.code,
    stderr: run.stderr,
    names: done?.['names'],
    stored: done?.['stored'],
    absent: done?.['absent'],
    failed: done?.['failed'],
  };
  expect(said).toEqual({ code: 0, stderr: '', names: count, stored: count, absent: 0, failed: 0 });
  expect(only(run, 'coverage')['report']).toMatchObject({ holds: true, rows: count });
}

const title = (rule: FaultRule) =>
  [rule.fault, rule.retryAfter && `Retry-After ${rule.retryAfter}`, rule.by && `by ${rule.by}`]
    .filter(Boolean)
    .join(', ');

/** Faults that the connection, the status or the type tells: every request may be hit. A path is hit at most three times, so that chance cannot fail it. */
const NO_ANSWERS: FaultRule[] = [
  { fault: '500' },
  { fault: '502' },
  { fault: '503' },
  { fault: 'reset' },
  { fault: 'reset-body' },
  { fault: 'cut-body' },
  { fault: 'html-200' },
  { fault: 'html-403' },
  { fault: 'html-404' },
  { fault: 'redirect-loop' },
  { fault: 'wrong-length', by: 10 },
];

/** Faults that only a look at the body tells. */
const DAMAGE: FaultRule[] = [
  { fault: 'whole-cut' },
  { fault: 'corrupt-gzip' },
  { fault: 'wrong-name' },
  { fault: 'empty' },
  { fault: 'json-array' },
  { fault: 'json-null' },
  { fault: 'unsolicited-304' },
  { fault: 'wrong-length', by: -10 },
];

const PAGES: FaultRule[] = [
  { fault: 'page-cut' },
  { fault: 'rows-outside' },
  { fault: 'rows-duplicate' },
  { fault: 'rows-unordered' },
  { fault: 'total-moves' },
];

describe.concurrent('a share of all answers is wrong, and nothing is lost', () => {
  const cases: [string, FaultRule][] = [
    ...NO_ANSWERS.map((rule): FaultRule => ({ share: 0.2, times: 3, ...rule })),
    ...DAMAGE.map((rule): FaultRule => ({ share: 0.2, times: 3, kinds: ['packument'], ...rule })),
    ...PAGES.map((rule): FaultRule => ({ share: 0.5, times: 3, ...rule })),
  ].map((rule) => [title(rule), rule]);

  it.each(cases)('%s', async (_title, rule) => {
    const fake = await startFake({ packages: 200, seed: 21 });
    const wanted = await truths(fake, fake.names());
    const cache = tempDir();
    fake.setFaults([rule]);
    const run = await bootstrapAll(fake, cache);
    expect(fake.stats().faults[rule.fault]).toBeGreaterThan(PAGES.some(({ fault }) => fault === rule.fault) ? 4 : 20);
    expectWhole(run, 200);
    await expectHeld(cache, fake, wanted);
  });

  it.each(
    DAMAGE.filter(({ fault }) => fault !== 'wrong-name').map((rule): [string, FaultRule] => [
      title(rule),
      { share: 0.5, times: 3, kinds: ['allDocs'], ...rule },
    ]),
  )('of pages: %s', async (_title, rule) => {
    const fake = await startFake({ packages: 300, seed: 22 });
    const cache = tempDir();
    fake.setFaults([rule]);
    const run = await bootstrapAll(fake, cache, '--depth', 'names');
    expect(fake.stats().faults[rule.fault]).toBeGreaterThan(4);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(only(run, 'coverage')['report']).toMatchObject({ holds: true, rows: 300 });
  });

  // Once is bad luck that must not end hours of work: the root is asked again after the last page.
  it.each(
    [...DAMAGE.filter(({ fault }) => fault !== 'wrong-name'), { fault: 'html-404' as const }].map(
      (rule): [string, FaultRule] => [title(rule), rule],
    ),
  )('of the root: %s', async (_title, rule) => {
    const fake = await startFake({ packages: 100, seed: 23 });
    const cache = tempDir();
    fake.setFaults([{ ...rule, kinds: ['root'], times: 1 }]);
    const run = await runCli(['partition', 'fetch', '--json', ...at(fake, cache)]);
    expect({ code: run.code, stderr: run.stderr }).toEqual({ code: 0, stderr: '' });
    expect(only(run, 'coverage')['report']).toMatchObject({ holds: true, rows: 100 });
  });

  // Each 429 costs everybody a second: fewer packages.
  it.each([
    ['seconds', { retryAfter: '1' }],
    ['a date', { retryAfter: 'date', afterSeconds: 1 }],
    ['nought', { retryAfter: '0' }],
    ['none', {}],
    ['nonsense', { retryAfter: 'later' }],
  ] as [string, Partial<FaultRule>][])('429 with Retry-After: %s', async (_title, rule) => {
    const fake = await startFake({ packages: 60, seed: 24 });
    const wanted = await truths(fake, fake.names());
    const cache = tempDir();
    fake.setFaults([{ fault: '429', share: 0.2, times: 2, ...rule }]);
    const run = await bootstrapAll(fake, cache, '--rate', '100');
    const { '429': count = 0 } = fake.stats().faults;
    expect(count).toBeGreaterThan(7);
    expectWhole(run, 60);
    const done = only(run, 'done');
    expect(done['throttled']).toBe(count);
    // A second for each round trip that met one, whatever the header says.
    expect(done['seconds']).toBeGreaterThan(3);
    expect(run.events.some(({ type, throttled }) => type === 'progress' && throttled > 0)).toBe(true);
    await expectHeld(cache, fake, wanted);
  });

  it('503 with Retry-After is a request to slow down', async () => {
    const fake = await startFake({ packages: 100, seed: 25 });
    fake.setFaults([{ fault: '503', share: 0.1, times: 1, retryAfter: '1' }]);
    const run = await bootstrapAll(fake, tempDir(), '--rate', '100');
    expectWhole(run, 100);
    expect(only(run, 'done')['throttled']).toBe(fake.stats().faults['503']);
  });

  it('gzip bombs', async () => {
    const fake = await startFake({ packages: 100, seed: 26 });
    const names = [...fake.names()].slice(0, 20);
    const wanted = await truths(fake, names);
    const cache = tempDir();
    fake.setFaults([{ fault: 'gzip-bomb', share: 0.2, times: 2 }]);
    const run = await runCli([
      'bootstrap',
      '--json',
      '--names',
      tempFile('names.txt', names.join('\n')),
      ...at(fake, cache),
    ]);
    expect(fake.stats().faults['gzip-bomb']).toBeGreaterThan(1);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    await expectHeld(cache, fake, wanted);
  });

  // Nobody can tell these from the truth: they are kept as they came, harm nothing, and are gone after the next pass.
  it.each(['hostile-keys', 'bad-utf8', 'wrong-etag'] as const)(
    '%s: kept as it came, replaced by the truth later',
    async (fault) => {
      const fake = await startFake({ packages: 200, seed: 27 });
      const names = tempFile('names.json', JSON.stringify([...fake.names()]));
      const wanted = await truths(fake, fake.names());
      const cache = tempDir();
      const args = ['bootstrap', '--json', '--names', names, ...at(fake, cache)];
      fake.setFaults([{ fault, share: 0.2, times: 1 }]);
      const run = await runCli(args);
      const count = fake.stats().faults[fault] ?? 0;
      expect(count).toBeGreaterThan(20);
      expect(run).toMatchObject({ code: 0, stderr: '' });
      expect(only(run, 'done')).toMatchObject({ stored: 200, failed: 0 });
      expect(await runCli(['packument', 'verify', ...held(fake, cache)])).toMatchObject({ code: 0 });
      fake.setFaults([]);
      const again = await runCli(args);
      expect(only(again, 'done')).toMatchObject({ stored: count, unchanged: 200 - count });
      await expectHeld(cache, fake, wanted);
    },
  );
});

describe.concurrent('one package gets no good answer at all', () => {
  const CODES: Partial<Record<FaultRule['fault'], string>> = {
    500: 'ERR_FETCH_FAILED',
    502: 'ERR_FETCH_FAILED',
    503: 'ERR_FETCH_FAILED',
    reset: 'ERR_FETCH_FAILED',
    'reset-body': 'ERR_FETCH_FAILED',
    'cut-body': 'ERR_FETCH_FAILED',
    'html-200': 'ERR_BLOCKED',
    'html-403': 'ERR_BLOCKED',
    'html-404': 'ERR_BLOCKED',
    'redirect-loop': 'ERR_TOO_MANY_REDIRECTS',
    'gzip-bomb': 'ERR_TOO_LARGE',
    empty: 'ERR_BAD_PACKUMENT',
    'json-array': 'ERR_BAD_PACKUMENT',
    'json-null': 'ERR_BAD_PACKUMENT',
    'wrong-name': 'ERR_BAD_PACKUMENT',
    'corrupt-gzip': 'ERR_ENCODING',
  };
  const rules = [...NO_ANSWERS, ...DAMAGE, { fault: 'gzip-bomb' } as FaultRule];

  it.each(rules.map((rule): [string, FaultRule] => [title(rule), rule]))('%s', async (_title, rule) => {
    const fake = await startFake({ packages: 100, seed: 31 });
    const names = [...fake.names()].slice(0, 60);
    const plain = names.filter((name) => /^[a-z]+$/.test(name));
    const [changed, fresh] = plain as [string, string];
    const cache = tempDir();
    const first = names.filter((name) => name !== fresh);
    expect(
      await runCli(['bootstrap', '--names', tempFile('names.txt', first.join('\n')), ...at(fake, cache)]),
    ).toMatchObject({ code: 0 });
    const { raw: before } = await truth(fake, changed);
    fake.publish(changed);
    const after = await truths(fake, names);

    fake.setFaults([{ ...rule, path: `^/(${changed}|${fresh})$` }]);
    const args = ['bootstrap', '--json', '--names', tempFile('names.txt', names.join('\n')), ...at(fake, cache)];
    const run = await runCli(args, { killAfterMs: 60_000, signal: 'SIGKILL' });
    fake.setFaults([]);
    // A conditional request may be answered 304: this fault hits only what is asked for the first time.
    const failed = rule.fault === 'unsolicited-304' ? [fresh] : [changed, fresh];
    expect({ code: run.code, stderr: run.stderr }).toEqual({ code: 3, stderr: '' });
    expect(only(run, 'done')).toMatchObject({ status: 'incomplete', exitCode: 3, failed: failed.length, absent: 0 });
    const errors = run.events.filter(({ type }) => type === 'error');
    expect([...new Set(errors.map(({ name }) => name as string))].sort(byBytes)).toEqual([...failed].sort(byBytes));
    for (const { code, message } of errors) {
      expect(code).toMatch(CODES[rule.fault] ? new RegExp(`^${CODES[rule.fault]}$`) : /^ERR_[A-Z_]+$/);
      expect(message).not.toBe('');
    }
    const kept = new Map(after);
    kept.delete(fresh);
    if (failed.includes(changed)) kept.set(changed, before);
    await expectHeld(cache, fake, kept);

    const status = only(await runCli(['status', '--json', ...held(fake, cache)]), 'status');
    expect(status).toMatchObject({ failed: failed.length, absent: 0 });
    expect((status['failures'] as { name: string }[]).map(({ name }) => name)).toEqual([...failed].sort(byBytes));

    const again = await runCli(args);
    expect(again).toMatchObject({ code: 0 });
    await expectHeld(cache, fake, after);
    expect(only(await runCli(['status', '--json', ...held(fake, cache)]), 'status')).toMatchObject({ failed: 0 });

    // However often a name was tried, it counts once.
    const done = only(run, 'done');
    const counts = ['stored', 'unchanged', 'held', 'absent', 'failed'].map((kind) => done[kind] as number);
    expect(counts.reduce((sum, count) => sum + count)).toBe(names.length);
    const progress = run.events.filter(({ type }) => type === 'progress');
    expect(progress.filter(({ done, total }) => done > total)).toEqual([]);
  });
});

describe.concurrent('the origin as a whole', () => {
  it('leaves rows out: the proof does not hold, and the next pass mends it', async () => {
    const fake = await startFake({ packages: 300, seed: 41 });
    const cache = tempDir();
    const names = [...fake.names()];
    const pivot = names[150] as string;
    fake.setFaults([{ fault: 'page-cut', rows: 0, times: 1, path: `startkey="${pivot}"` }]);
    const args = [
      'partition',
      'fetch',
      '--json',
      '--pivots',
      tempFile('pivots.json', JSON.stringify([pivot])),
      ...at(fake, cache),
    ];
    const run = await runCli(args);
    expect(fake.stats().faults['page-cut']).toBe(1);
    expect(run.code).toBe(3);
    const { report } = only(run, 'coverage') as unknown as { report: { holds: boolean; problems: { kind: string }[] } };
    expect(report).toMatchObject({ holds: false, rows: 150, problems: [{ kind: 'total' }] });
    expect(await runCli(['partition', 'verify', '--origin', fake.url, ...held(fake, cache)])).toMatchObject({
      code: 3,
    });
    expect(await runCli(args)).toMatchObject({ code: 0 });
    expect(await runCli(['partition', 'verify', '--origin', fake.url, ...held(fake, cache)])).toMatchObject({
      code: 0,
    });
  });

  it('asks for a pause of an hour: the work stops at once, exit 4, and goes on later', async () => {
    const fake = await startFake({ packages: 100, seed: 42, latencyMs: 5 });
    const cache = tempDir();
    const names = [...fake.names()];
    fake.setFaults([
      { fault: '429', retryAfter: '3600', path: `^/${names.filter((name) => /^[a-z]+$/.test(name)).at(-1)}$` },
    ]);
    const args = ['bootstrap', '--json', '--names', tempFile('names.json', JSON.stringify(names)), ...at(fake, cache)];
    const run = await runCli(args);
    expect(run.code).toBe(4);
    expect(only(run, 'done')).toMatchObject({ status: 'throttled', exitCode: 4 });
    expect(only(run, 'error')).toMatchObject({
      code: 'ERR_RATE_LIMITED',
      message: expect.stringMatching(/same command again after \d{4}-/),
    });
    fake.setFaults([]);
    expect(await runCli(args)).toMatchObject({ code: 0 });
    await expectHeld(cache, fake, await truths(fake, names));
  });

  it('is gone for good in the middle: exit 1 within a minute, what is stored stays', async () => {
    const fake = await startFake({ packages: 100, seed: 43 });
    const cache = tempDir();
    const names = [...fake.names()];
    expect(
      await runCli([
        'bootstrap',
        '--names',
        tempFile('names.json', JSON.stringify(names.slice(0, 20))),
        ...at(fake, cache),
      ]),
    ).toMatchObject({ code: 0 });
    const wanted = await truths(fake, names.slice(0, 20));
    fake.setFaults([{ fault: 'reset' }]);
    const run = await runCli(
      ['bootstrap', '--json', '--names', tempFile('names.json', JSON.stringify(names)), ...at(fake, cache)],
      { killAfterMs: 60_000, signal: 'SIGKILL' },
    );
    fake.setFaults([]);
    expect({ code: run.code, signal: run.signal }).toEqual({ code: 1, signal: null });
    expect(run.stderr).toMatch(/^error ERR_ORIGIN_DOWN: .*\n$/);
    await expectHeld(cache, fake, wanted);
  });

  it('limits requests a second: all are served in the end, and it is hardly ever overrun', async () => {
    const fake = await startFake({ packages: 400, seed: 44 });
    const wanted = await truths(fake, fake.names());
    const cache = tempDir();
    fake.resetStats();
    fake.setFaults([{ fault: 'rate-limit', perSecond: 40, retryAfter: '1' }]);
    const seconds: number[] = [];
    const watch = setInterval(() => seconds.push(fake.stats().requests), 100);
    const run = await bootstrapAll(fake, cache, '--rate', '400');
    clearInterval(watch);
    expectWhole(run, 400);
    const {
      requests,
      faults: { 'rate-limit': refused = 0 },
    } = fake.stats();
    const peak = Math.max(...seconds.map((count, i) => count - (seconds[i - 10] ?? 0)));
    console.log(
      `rate-limit 40/s with --rate 400: ${requests} requests, ${refused} refused, at most ${peak} in a second, ${only(run, 'done')['seconds']} s`,
    );
    expect(only(run, 'done')['throttled']).toBe(refused);
    expect(run.events.findLast(({ type }) => type === 'progress')?.['throttled']).toBe(refused);
    expect(refused).toBeGreaterThan(0);
    // What was in flight when the limit was met, once for each time that the pace was tried upwards again.
    expect(refused).toBeLessThan(requests / 5);
    expect(peak).toBeLessThanOrEqual(40 + 2 * 10);
    await expectHeld(cache, fake, wanted);
  });
});
