import {
  cacheSyncConfig,
  type ICacheSyncLogger,
  invalidateRecord,
  isCacheStale,
  type SyncDatabase,
  type SyncedRecord,
  syncBatch,
  syncRecord,
} from '@_all_docs/tier';
import { describe, expect, it } from 'vitest';

/** A database in memory that refuses what `refuse` names. */
function database(refuse: (verb: keyof SyncDatabase, id?: string) => boolean = () => false) {
  const rows = new Map<string, SyncedRecord>();
  const calls: string[] = [];
  const call = (verb: keyof SyncDatabase, id?: string) => {
    calls.push(verb);
    if (refuse(verb, id)) throw new Error(`no ${verb}`);
  };
  let now = 1_000_000;
  const put = (table: string, id: string, data: Record<string, unknown>) => {
    const key = `${table}/${id}`;
    rows.set(key, { id, data, createdAt: rows.get(key)?.createdAt ?? now, updatedAt: now });
  };
  const db: SyncDatabase = {
    clock: { now: () => now },
    async find(table, id) {
      call('find', id);
      return rows.get(`${table}/${id}`);
    },
    async upsert(table, id, data) {
      call('upsert', id);
      put(table, id, data);
    },
    async upsertAll(table, records) {
      call('upsertAll');
      for (const { id } of records) if (refuse('upsert', id)) throw new Error(`no ${id}`);
      for (const { id, data } of records) put(table, id, data);
    },
    async delete(table, id) {
      call('delete', id);
      rows.delete(`${table}/${id}`);
    },
  };
  const pass = (ms: number) => {
    now += ms;
  };
  return { db, rows, calls, pass };
}

function logger() {
  const said: string[] = [];
  const say = (level: string) => (message: string) => void said.push(`${level}: ${message}`);
  const it: ICacheSyncLogger = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
  return { it, said };
}

describe('syncRecord', () => {
  it('copies a record, over what is there', async () => {
    const { db, rows } = database();
    expect(await syncRecord('packuments', 'a', { rev: 1 }, db)).toEqual({ success: true });
    expect(await syncRecord('packuments', 'a', { rev: 2 }, db)).toEqual({ success: true });
    expect(rows.get('packuments/a')?.data).toEqual({ rev: 2 });
  });

  it('tells a failure by its result, and the logger', async () => {
    const { it: log, said } = logger();
    const { db } = database(() => true);
    expect(await syncRecord('packuments', 'a', {}, db, log)).toEqual({ success: false, error: 'no upsert' });
    expect(said).toEqual(['error: cannot sync a in packuments']);
  });

  it('needs no logger, nor all of its methods', async () => {
    const { db } = database(() => true);
    expect(await syncRecord('packuments', 'a', {}, db, {})).toEqual({ success: false, error: 'no upsert' });
    expect(await invalidateRecord('packuments', 'a', db)).toEqual({ success: false, error: 'no delete' });
  });
});

describe('syncBatch', () => {
  const records = ['a', 'b', 'c', 'd', 'e'].map((id) => ({ id, data: { id } }));

  it('copies all records in one transaction', async () => {
    const { db, rows, calls } = database();
    expect(await syncBatch('packuments', records, db)).toEqual({ success: true });
    expect(rows.size).toBe(5);
    expect(calls).toEqual(['upsertAll']);
    expect(await syncBatch('packuments', [], db)).toEqual({ success: true });
  });

  it('copies one by one when that fails, so that a bad record costs only itself', async () => {
    const { it: log, said } = logger();
    const { db, rows } = database((verb, id) => verb === 'upsert' && id === 'c');
    expect(await syncBatch('packuments', records, db, log)).toEqual({
      success: false,
      error: '1 of 5 records failed: c: no upsert',
    });
    expect([...rows.keys()]).toEqual(['a', 'b', 'd', 'e'].map((id) => `packuments/${id}`));
    expect(said).toContain('warn: cannot sync 5 records of packuments at once; trying one by one');
  });

  it('is a success when only the transaction failed', async () => {
    const { db, rows } = database((verb) => verb === 'upsertAll');
    expect(await syncBatch('packuments', records, db)).toEqual({ success: true });
    expect(rows.size).toBe(5);
  });

  it('names a few of many failures', async () => {
    const { db } = database(() => true);
    expect((await syncBatch('packuments', records, db)).error).toBe(
      '5 of 5 records failed: a: no upsert; b: no upsert; c: no upsert; …',
    );
  });
});

describe('invalidateRecord', () => {
  it('removes a record, and one that is not there', async () => {
    const { db, rows } = database();
    await syncRecord('packuments', 'a', {}, db);
    for (let i = 0; i < 2; i++) expect(await invalidateRecord('packuments', 'a', db)).toEqual({ success: true });
    expect(rows.size).toBe(0);
  });
});

describe('isCacheStale', () => {
  it('is told by the last update', async () => {
    const { db, pass } = database();
    await syncRecord('packuments', 'a', {}, db);
    pass(300_000);
    expect(await isCacheStale('packuments', 'a', db, 300)).toBe(false);
    pass(1);
    expect(await isCacheStale('packuments', 'a', db, 300)).toBe(true);
    await syncRecord('packuments', 'a', {}, db);
    expect(await isCacheStale('packuments', 'a', db, 300)).toBe(false);
  });

  it.each([
    ['the creation, where there was no update', { createdAt: 999_000 }, false],
    ['the creation, where the update is null', { createdAt: 999_000, updatedAt: null }, false],
    ['a date', { createdAt: 0, updatedAt: new Date(999_000) }, false],
    ['text', { createdAt: 0, updatedAt: new Date(999_000).toISOString() }, false],
    ['text that is no time', { createdAt: 999_000, updatedAt: 'soon' }, true],
    ['nothing', {}, true],
  ])('is told by %s', async (_, times, expected) => {
    const { db, rows } = database();
    rows.set('packuments/a', { id: 'a', data: {}, ...times } as SyncedRecord);
    expect(await isCacheStale('packuments', 'a', db, 300)).toBe(expected);
  });

  it('is true of what is not there, and when the database fails', async () => {
    expect(await isCacheStale('packuments', 'a', database().db, 300)).toBe(true);
    const { it: log, said } = logger();
    expect(await isCacheStale('packuments', 'a', database(() => true).db, 300, log)).toBe(true);
    expect(said).toEqual(['warn: cannot tell the age of a in packuments']);
  });
});

describe('cacheSyncConfig', () => {
  it('fills in the defaults', () => {
    expect(cacheSyncConfig()).toEqual({
      syncTables: ['packuments', 'partitions'],
      maxAge: 300,
      strategy: 'write-through',
    });
    expect(cacheSyncConfig({ maxAge: 0, strategy: 'lazy' })).toMatchObject({ maxAge: 0, strategy: 'lazy' });
  });

  it.each([
    [{ maxAge: -1 }, 'maxAge'],
    [{ maxAge: Number.NaN }, 'maxAge'],
    [{ strategy: 'eager' }, 'strategy'],
    [{ syncTables: [''] }, 'syncTables'],
    [{ syncTables: 'packuments' }, 'syncTables'],
  ])('names the option that cannot be: %j', (options, name) => {
    expect(() => cacheSyncConfig(options as never)).toThrow(name);
  });
});
