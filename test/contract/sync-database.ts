import { invalidateRecord, isCacheStale, type SyncDatabase, syncBatch, syncRecord } from '@_all_docs/tier';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AWKWARD_NAMES } from './names.ts';

export interface SyncDatabaseContract {
  name: string;
  /** An empty database that tells ages by this clock. */
  create: (clock: { now(): number }) => SyncDatabase | Promise<SyncDatabase>;
  destroy: (database: SyncDatabase) => unknown;
}

/** What every {@link SyncDatabase} must do, as the sync functions use it. */
export function syncDatabaseContract({ name, create, destroy }: SyncDatabaseContract): void {
  describe(`${name} keeps the sync-database contract`, () => {
    let now = 1_700_000_000_000;
    let db: SyncDatabase;
    beforeAll(async () => {
      db = await create({ now: () => now });
    });
    afterAll(() => destroy(db));

    it('misses with undefined, and is stale then', async () => {
      expect(await db.find('packuments', 'nothing')).toBeUndefined();
      expect(await isCacheStale('packuments', 'nothing', db, 300)).toBe(true);
    });

    it('carries any JSON under any id, table by table', async () => {
      for (const { text } of AWKWARD_NAMES) {
        if (text.includes('p'.repeat(3_000))) continue;
        const data = { text, nested: { list: [1, null, true, 'é\u{1f600}\0'], half: '\ud83d' } };
        expect(await syncRecord('packuments', text, data, db)).toEqual({ success: true });
        expect(await db.find('packuments', text)).toMatchObject({ id: text, data });
        expect(await db.find('partitions', text)).toBeUndefined();
      }
      expect(await syncRecord("'; DROP TABLE synced; --", 'a', { a: 1 }, db)).toEqual({ success: true });
      expect(await db.find("'; DROP TABLE synced; --", 'a')).toMatchObject({ data: { a: 1 } });
    });

    it('dates what is written, keeps when it was made, and ages', async () => {
      await syncRecord('packuments', 'aging', { rev: 1 }, db);
      const madeAt = now;
      now += 300_000;
      expect(await isCacheStale('packuments', 'aging', db, 300)).toBe(false);
      now += 1;
      expect(await isCacheStale('packuments', 'aging', db, 300)).toBe(true);
      await syncRecord('packuments', 'aging', { rev: 2 }, db);
      expect(await isCacheStale('packuments', 'aging', db, 300)).toBe(false);
      expect(await db.find('packuments', 'aging')).toEqual({
        id: 'aging',
        data: { rev: 2 },
        createdAt: madeAt,
        updatedAt: now,
      });
    });

    it('takes a batch as a whole or not at all, the last of two with one id counting', async () => {
      const records = Array.from({ length: 2_000 }, (_, i) => ({ id: `batch ${i % 1_900}`, data: { i } }));
      expect(await syncBatch('packuments', records, db)).toEqual({ success: true });
      expect((await db.find('packuments', 'batch 5'))?.data).toEqual({ i: 1_905 });
      expect((await db.find('packuments', 'batch 1000'))?.data).toEqual({ i: 1_000 });
      const bad = { big: 1n } as unknown as Record<string, unknown>;
      const half = [
        { id: 'half 1', data: {} },
        { id: 'half 2', data: bad },
      ];
      await expect(db.upsertAll('packuments', half)).rejects.toThrow();
      expect(await db.find('packuments', 'half 1')).toBeUndefined();
      // One by one, the good one is taken.
      expect(await syncBatch('packuments', half, db)).toMatchObject({ success: false });
      expect(await db.find('packuments', 'half 1')).toMatchObject({ data: {} });
    });

    it('forgets what is invalidated, again and again', async () => {
      await syncRecord('packuments', 'gone', {}, db);
      for (let i = 0; i < 2; i++) expect(await invalidateRecord('packuments', 'gone', db)).toEqual({ success: true });
      expect(await db.find('packuments', 'gone')).toBeUndefined();
    });
  });
}
