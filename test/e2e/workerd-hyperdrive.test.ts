import { openPostgres } from '@_all_docs/worker-node/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../fake-origin/client.ts';
import { type FakeOrigin, startFakeOrigin } from '../fake-origin/index.ts';
import { type PostgresServer, startPostgres, whyNoPostgres } from '../servers/postgres.ts';
import { until } from './cli.ts';
import { startWorkerd, type Workerd } from './workerd.ts';

const why = whyNoPostgres();

describe.skipIf(why !== undefined)(`the Cloudflare worker over Hyperdrive${why ? ` (${why})` : ''}`, () => {
  let fake: FakeOrigin;
  let database: PostgresServer;
  let names: string[];
  const workers: Workerd[] = [];
  /** One with an empty KV. */
  const start = async () => {
    const worker = await startWorkerd(
      { REGISTRY: fake.url, ORIGIN: fake.url, FOLLOW: 'off', PUBLIC_URL: 'https://npm.example.test' },
      {
        environment: 'hyperdrive',
        env: { CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_HYPERDRIVE: withPassword(database.url) },
      },
    );
    workers.push(worker);
    return worker;
  };
  const get = ({ url }: Workerd, path: string) => ask(url, path, { headers: { 'accept-encoding': 'gzip' } });

  beforeAll(async () => {
    [fake, database] = await Promise.all([startFakeOrigin({ packages: 100, seed: 22 }), startPostgres()]);
    names = [...fake.names()].filter((name) => /^[a-z][a-z-]+$/.test(name));
  }, 60_000);
  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await database?.stop();
    await fake?.close();
  }, 60_000);

  it('keeps what it pulled through in the database, from which a worker with an empty KV serves it', async () => {
    const name = names.pop() as string;
    const first = await start();
    const pulled = await get(first, `/npm/${name}`);
    expect(pulled.status).toBe(200);
    const driver = openPostgres(database.url);
    try {
      await until(async () => (await keysOf(driver.list('v1:'))).length > 1, 'document and form are in the database');
    } finally {
      await driver.close();
    }
    fake.setFaults([{ fault: '500' }]);
    const second = await start();
    const { status, text, headers } = await get(second, `/npm/${name}`);
    fake.setFaults([]);
    expect([status, text, headers['cache-status']]).toEqual([200, pulled.text, expect.stringContaining('hit')]);
    await second.stop();
  });

  it('serves what KV holds while the database is down, and asks the registry for the rest', async () => {
    const [held, other] = names.splice(0, 2) as [string, string];
    const [worker] = workers as [Workerd];
    for (let times = 0; times < 2; times++) expect((await get(worker, `/npm/${held}`)).status).toBe(200);
    await database.crash();
    fake.resetStats();
    expect((await get(worker, `/npm/${held}`)).status).toBe(200);
    expect(fake.stats().requests).toBe(0);
    expect((await get(worker, `/npm/${other}`)).status).toBe(200);
    await database.start();
    const again = names.pop() as string;
    expect((await get(worker, `/npm/${again}`)).status).toBe(200);
  });
});

/** The database trusts everybody; the engine wants a URL with a password in it. */
function withPassword(url: string): string {
  return url.replace('postgres@', 'postgres:any@');
}

async function keysOf(keys: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const key of keys) found.push(key);
  return found;
}
