import { createPackumentKey, MemoryStorageDriver } from '@_all_docs/cache';
import { TieredCache } from '@_all_docs/tier';
import { createEnv, systemClock } from '@_all_docs/worker-node';
import { openPostgres, type PostgresStorageDriver } from '@_all_docs/worker-node/postgres';
import { existsSync } from 'node:fs';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeOf, collect, noise, utf8 } from '../../../test/contract/_bytes.ts';
import { type PostgresServer, startPostgres, whyNoPostgres } from '../../../test/servers/postgres.ts';

const entry = (text: string) => ({
  body: utf8(text),
  metadata: { storedAt: 1, encoding: 'identity' as const, size: text.length },
});
const reason = whyNoPostgres();
if (reason) console.log(`PostgreSQL: skipped, ${reason}`);

describe('openPostgres', () => {
  it.each(['', './cache', 'mysql://h/x', 'postgres'])('refuses what is no URL of a database: %j', async (url) => {
    expect(await codeOf(() => openPostgres(url))).toBe('ERR_NO_STORAGE');
  });

  it('is what createEnv refers to, which takes directories', async () => {
    const url = 'postgres://secret:password@127.0.0.1:1/x';
    const error = await createEnv({ cache: url, registry: 'https://registry.example.test' }).catch((error) => error);
    expect(error).toMatchObject({ code: 'ERR_CACHE_UNWRITABLE', message: expect.stringContaining('openPostgres') });
    expect(error.message).not.toContain('password');
    expect(existsSync('postgres:')).toBe(false);
  });

  it('opens nothing before its first use, and says so when there is nobody', async () => {
    const driver = openPostgres('postgres://secret:password@127.0.0.1:1/x');
    const error = await driver.read('a').catch((error) => error);
    expect(error.code).toBe('ERR_STORAGE_READ');
    expect(String(error)).toContain('ECONNREFUSED');
    expect(`${error} ${error.stack}`).not.toContain('password');
    expect(await codeOf(() => driver.write('a', entry('x')))).toBe('ERR_STORAGE_WRITE');
    expect(await codeOf(() => driver.ordered.commit([{ key: 'a', value: 'b' }]))).toBe('ERR_STORAGE_WRITE');
    await driver.close();
  });
});

describe.skipIf(reason)(`PostgreSQL${reason ? ` (off: ${reason})` : ''}`, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  describe('tables', () => {
    it('are made once, however many begin at once', async () => {
      const drivers = Array.from({ length: 8 }, () =>
        openPostgres(server.url, { schema: 'made_once', connections: 1 }),
      );
      await Promise.all(drivers.map((driver, i) => driver.write(`key ${i}`, entry('x'))));
      expect(await collect((drivers[0] as PostgresStorageDriver).list())).toHaveLength(8);
      await Promise.all(drivers.map((driver) => driver.close()));
    });

    it('of a newer version are left alone with ERR_CACHE_NEWER', async () => {
      const driver = openPostgres(server.url, { schema: 'newer' });
      await driver.ready();
      const client = postgres(server.url, { max: 1 });
      await client`INSERT INTO newer.migrations (version) VALUES (99)`;
      const later = openPostgres(server.url, { schema: 'newer' });
      expect(await codeOf(() => later.ready())).toBe('ERR_CACHE_NEWER');
      expect(await codeOf(() => later.read('a'))).toBe('ERR_CACHE_NEWER');
      for (const each of [driver, later]) await each.close();
      await client.end();
    });

    it('lie in a schema of a plain name only', () => {
      for (const schema of ['', 'A', 'a"b', 'x; DROP', '1a', 'a'.repeat(64)])
        expect(() => openPostgres(server.url, { schema })).toThrow('not a schema');
    });
  });

  describe('bad bytes', () => {
    it('in the table are ERR_CORRUPT', async () => {
      const driver = openPostgres(server.url, { schema: 'corrupt' });
      await driver.write('key', entry('right'));
      const client = postgres(server.url, { max: 1 });
      await client`UPDATE corrupt.entries SET body = ${Buffer.from('wrong')}`;
      expect(await codeOf(() => driver.read('key'))).toBe('ERR_CORRUPT');
      await client.end();
      await driver.close();
    });

    it('in a key that no index takes are ERR_KEY_TOO_LONG, and take nobody along', async () => {
      const driver = openPostgres(server.url, { schema: 'long_keys' });
      const { ordered } = driver;
      const long = Buffer.from(noise(6_000)).toString('base64');
      const outcomes = await Promise.allSettled([
        ordered.commit([{ key: 'before', value: '1' }]),
        ordered.commit([{ key: long, value: '2' }]),
        ordered.commit([{ key: 'after', value: '3' }]),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect((outcomes[1] as PromiseRejectedResult).reason.code).toBe('ERR_KEY_TOO_LONG');
      expect(await collect(ordered.list())).toEqual([
        ['after', '3'],
        ['before', '1'],
      ]);
      await driver.close();
    });
  });

  it('lets exactly one of many processes win, for rows that are not there and for those that are', async () => {
    const drivers = Array.from({ length: 6 }, () => openPostgres(server.url, { schema: 'rivals', connections: 2 }));
    let held: string | undefined;
    for (let round = 0; round < 20; round++) {
      const won = await Promise.all(
        drivers.map(({ ordered }, i) =>
          ordered.commit([{ key: 'lease', value: `${round}/${i}` }], [{ key: 'lease', value: held }]),
        ),
      );
      expect(won.filter(Boolean)).toHaveLength(1);
      held = `${round}/${won.indexOf(true)}`;
    }
    // Counting by many, with large commits that lock everything in between.
    await drivers[0]?.ordered.commit([{ key: 'sum', value: '0' }]);
    const many = Array.from({ length: 150 }, (_, i) => ({ key: `bulk ${i}`, value: 'x' }));
    await Promise.all(
      drivers.map(async ({ ordered }, i) => {
        for (let done = 0; done < 10; ) {
          const sum = await ordered.get('sum');
          const changes = [{ key: 'sum', value: String(Number(sum) + 1) }, ...(i === 0 ? many : [])];
          if (await ordered.commit(changes, [{ key: 'sum', value: sum }])) done += 1;
        }
      }),
    );
    expect(await drivers[0]?.ordered.get('sum')).toBe('60');
    await Promise.all(drivers.map((driver) => driver.close()));
  });
  it('that is killed and comes back has everything that was acknowledged, and nobody needs to begin anew', async () => {
    const driver = openPostgres(server.url, { schema: 'killed', connections: 3 });
    await driver.ready();
    const acknowledged = new Set<string>();
    const codes = new Set<string>();
    let going = true;
    const writers = [0, 1, 2].map(async (writer) => {
      for (let i = 0; going; i++) {
        const key = `${writer}:${String(i).padStart(6, '0')}`;
        try {
          await driver.write(key, entry(key));
          await driver.ordered.commit([{ key, value: 'marked' }]);
          acknowledged.add(key);
        } catch (error) {
          codes.add((error as { code: string }).code);
          await systemClock.sleep(20);
        }
      }
    });
    for (let crashes = 0; crashes < 3; crashes++) {
      const before = acknowledged.size;
      while (acknowledged.size < before + 50) await systemClock.sleep(5);
      await server.crash();
      expect(await codeOf(() => driver.read('anything'))).toBe('ERR_STORAGE_READ');
      expect(await codeOf(() => driver.ordered.get('anything'))).toBe('ERR_STORAGE_READ');
      await server.start();
    }
    const before = acknowledged.size;
    while (acknowledged.size < before + 50) await systemClock.sleep(5);
    going = false;
    await Promise.all(writers);
    expect([...codes]).toEqual(['ERR_STORAGE_WRITE']);
    for (const key of acknowledged) {
      expect((await driver.read(key))?.metadata.size).toBe(key.length);
      expect(await driver.ordered.get(key)).toBe('marked');
    }
    await driver.close();
  });

  it('whose connections are cut between calls is asked again without anybody noticing', async () => {
    const driver = openPostgres(server.url, { schema: 'cut' });
    const client = postgres(server.url, { max: 1 });
    for (let i = 0; i < 5; i++) {
      await driver.write('key', entry(`value ${i}`));
      await client`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '_all_docs'`;
      expect((await driver.read('key'))?.metadata.size).toBe(7);
      expect(await driver.ordered.commit([{ key: 'row', value: String(i) }])).toBe(true);
    }
    await client.end();
    await driver.close();
  });

  it('is the primary of tiers', async () => {
    const key = createPackumentKey('express');
    const cache = new TieredCache({
      tiers: [new MemoryStorageDriver(), openPostgres(server.url, { schema: 'tiers' })],
      clock: systemClock,
    });
    await cache.write(key, entry('document'));
    for (let i = 0; i < 3; i++) expect((await cache.read(key))?.body).toEqual(utf8('document'));
    expect(cache.stats()).toMatchObject({ primary: { reads: 0 }, tiers: [{ hits: 3 }] });
    await cache.delete(key);
    expect(await cache.read(key)).toBeUndefined();
    await cache.close();
  });
});
