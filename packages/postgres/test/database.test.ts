import { type ClientRow, type DatabaseClock, PostgresStorageDriver } from '@_all_docs/postgres';
import { describe, expect, it } from 'vitest';
import { codeOf, utf8 } from '../../../test/contract/_bytes.ts';

const clock: DatabaseClock = {
  now: () => 1,
  sleep: (_, signal) =>
    new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('the sleep was ended')))),
};
const failure = (code: string) => Object.assign(new Error(`failed with ${code}`), { code });
const entry = { body: utf8('x'), metadata: { storedAt: 1, encoding: 'identity' as const, size: 1 } };

/** A driver whose client answers as the script says: rows, or an error; tables are there already. */
function scripted(script: (ClientRow[] | Error)[], deadline = clock) {
  const statements: string[] = [];
  const client = {
    async unsafe(statement: string): Promise<ClientRow[]> {
      if (/to_regclass/.test(statement)) return [{ made: 'all_docs.migrations' }];
      if (/max\(version\)/.test(statement)) return [{ version: 2 }];
      statements.push(statement);
      const next = script.shift();
      if (next === undefined) return new Promise(() => {});
      if (next instanceof Error) throw next;
      return next;
    },
  };
  return { driver: new PostgresStorageDriver(client, { clock: deadline }), statements };
}

describe('a lost connection', () => {
  it.each(['CONNECTION_CLOSED', 'CONNECTION_DESTROYED', 'ECONNRESET', 'CONNECT_TIMEOUT', '57P01', '08006'])(
    'is asked again once: %s',
    async (code) => {
      const { driver, statements } = scripted([failure(code), [], failure(code), [], failure(code), []]);
      expect(await driver.read('key')).toBeUndefined();
      await driver.write('key', entry);
      await driver.delete('key');
      expect(statements).toHaveLength(6);
    },
  );

  it('twice is an error of its kind', async () => {
    const twice = () => [failure('CONNECTION_CLOSED'), failure('CONNECTION_CLOSED')];
    expect(await codeOf(() => scripted(twice()).driver.read('key'))).toBe('ERR_STORAGE_READ');
    expect(await codeOf(() => scripted(twice()).driver.write('key', entry))).toBe('ERR_STORAGE_WRITE');
  });

  it('in a commit is never asked again: it may have been done', async () => {
    const { driver, statements } = scripted([failure('CONNECTION_CLOSED'), [{ done: '[true]' }]]);
    expect(await codeOf(() => driver.ordered.commit([{ key: 'a', value: '1' }]))).toBe('ERR_STORAGE_WRITE');
    expect(statements).toHaveLength(1);
    expect(await driver.ordered.commit([{ key: 'a', value: '1' }])).toBe(true);
  });
});

describe('an error of the server', () => {
  it.each([
    ['53100', 'ERR_DISK_FULL'],
    ['54000', 'ERR_KEY_TOO_LONG'],
    ['42501', 'ERR_STORAGE_WRITE'],
    ['28P01', 'ERR_STORAGE_WRITE'],
  ])('%s is %s, at once', async (code, expected) => {
    const { driver, statements } = scripted([failure(code), []]);
    expect(await codeOf(() => driver.write('key', entry))).toBe(expected);
    expect(statements).toHaveLength(1);
  });

  it.each(['40001', '40P01'])('of rivals is tried again, a commit too: %s', async (code) => {
    const { driver, statements } = scripted([failure(code), failure(code), [{ done: '[true]' }]]);
    expect(await driver.ordered.commit([{ key: 'a', value: '1' }])).toBe(true);
    expect(statements).toHaveLength(3);
  });
});

it('no answer within a minute is an error', async () => {
  const slept: number[] = [];
  const { driver } = scripted([], {
    now: () => 1,
    sleep: async (ms, signal) => {
      await new Promise((resolve) => setImmediate(resolve));
      if (signal?.aborted) throw new Error('the sleep was ended');
      slept.push(ms);
    },
  });
  expect(await codeOf(() => driver.read('key'))).toBe('ERR_STORAGE_READ');
  expect(slept).toEqual([60_000]);
});

it('a body over 256 MiB is ERR_VALUE_TOO_LARGE before anything is asked', async () => {
  const { driver, statements } = scripted([]);
  const body = { length: 256 * 1024 * 1024 + 1 } as Uint8Array;
  expect(await codeOf(() => driver.write('key', { ...entry, body }))).toBe('ERR_VALUE_TOO_LARGE');
  expect(statements).toEqual([]);
});
