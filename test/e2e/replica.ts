import { createAbbreviatedKey, createPackumentKey, createPackumentPrefix } from '@_all_docs/cache';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gunzipSync } from 'node:zlib';
import cacache from 'cacache';
import { afterAll, expect } from 'vitest';
import { ask } from '../fake-origin/client.ts';
import { type FakeOrigin, type FakeOriginOptions, startFakeOrigin } from '../fake-origin/index.ts';

type Form = 'full' | 'abbreviated';

const fakes = new Set<FakeOrigin>();
afterAll(async () => {
  await Promise.all(Array.from(fakes, (fake) => fake.close()));
  fakes.clear();
});

/** A fake origin with small documents, closed when the file's tests are over. */
export async function startFake(options: Partial<FakeOriginOptions> = {}): Promise<FakeOrigin> {
  const fake = await startFakeOrigin({ packages: 300, seed: 1, sizes: 'small', ...options });
  fakes.add(fake);
  return fake;
}

/** The flags that point a command at a fake and a cache, as fast as the fake answers. */
export function at(fake: Pick<FakeOrigin, 'url'>, cache: string): string[] {
  return ['--origin', fake.url, '--registry', fake.url, '--cache', cache, '--rate', '0'];
}

/** The flags that point a command that asks nobody at what was stored. */
export function held(fake: Pick<FakeOrigin, 'url'>, cache: string): string[] {
  return ['--registry', fake.url, '--cache', cache];
}

const ACCEPT: Record<Form, string> = { full: 'application/json', abbreviated: 'application/vnd.npm.install-v1+json' };

/** What the origin sends for a name: the bytes on the wire (gzip), or why not. */
export async function truth(
  fake: FakeOrigin,
  name: string,
  form: Form = 'full',
): Promise<{ status: number; raw: Buffer; text: string }> {
  const path = `/${name.split('/').map(encodeURIComponent).join('%2f')}`;
  return ask(fake.url, path, { headers: { accept: ACCEPT[form], 'accept-encoding': 'gzip' } });
}

/** All truths at once, a few requests at a time. */
export async function truths(
  fake: FakeOrigin,
  names: Iterable<string>,
  form: Form = 'full',
): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  await each(names, async (name) => {
    const { status, raw } = await truth(fake, name, form);
    if (status === 200) found.set(name, raw);
  });
  return found;
}

export async function each<T>(items: Iterable<T>, work: (item: T) => Promise<void>, atOnce = 16): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const worker = async () => {
    for (let next = iterator.next(); !next.done; next = iterator.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

export interface IndexRow {
  integrity: string;
  size: number;
  storedAt: number;
  encoding: string;
  etag?: string;
  rev?: string;
}

/** The rows of a replica's index whose keys begin so, read without the command. */
export function indexRows(cache: string, prefix = ''): Map<string, IndexRow> {
  const database = new DatabaseSync(join(cache, 'index.sqlite'), { readOnly: true });
  try {
    const rows = database
      .prepare('SELECT key, value FROM rows WHERE substr(key, 1, ?1) = ?2 ORDER BY key')
      .all(prefix.length + 6, `entry:${prefix}`);
    return new Map(rows.map(({ key, value }) => [String(key).slice('entry:'.length), JSON.parse(String(value))]));
  } finally {
    database.close();
  }
}

/** Changes a replica behind the command's back. */
export function alterIndex(cache: string, sql: string, ...values: string[]): void {
  const database = new DatabaseSync(join(cache, 'index.sqlite'));
  database.prepare(sql).run(...values);
  database.close();
}

/** Where cacache keeps the bytes of an integrity string. */
export function contentPath(cache: string, integrity: string): string {
  const [algorithm, digest] = [integrity.slice(0, integrity.indexOf('-')), integrity.slice(integrity.indexOf('-') + 1)];
  const hex = Buffer.from(digest, 'base64').toString('hex');
  return join(cache, 'content-v2', algorithm, hex.slice(0, 2), hex.slice(2, 4), hex.slice(4));
}

export function keyOf(fake: FakeOrigin, name: string, form: Form = 'full'): string {
  return form === 'full' ? createPackumentKey(name, fake.url) : createAbbreviatedKey(name, fake.url);
}

/** Names of a replica's documents, by its index. */
export function heldKeys(cache: string, fake: FakeOrigin, form: Form = 'full'): string[] {
  return [...indexRows(cache, createPackumentPrefix(form === 'full' ? 'packument' : 'abbreviated', fake.url)).keys()];
}

/**
 * The replica holds exactly these documents, each byte for byte as the origin sends it: found by the index and, by key
 * and by digest, by npm's own cacache library.
 */
export async function expectHeld(
  cache: string,
  fake: FakeOrigin,
  wanted: ReadonlyMap<string, Buffer>,
  form: Form = 'full',
): Promise<void> {
  const rows = indexRows(cache, createPackumentPrefix(form === 'full' ? 'packument' : 'abbreviated', fake.url));
  expect([...rows.keys()]).toEqual(Array.from(wanted.keys(), (name) => keyOf(fake, name, form)).sort());
  const wrong: string[] = [];
  await each(wanted, async ([name, raw]) => {
    const key = keyOf(fake, name, form);
    const row = rows.get(key) as IndexRow;
    const byKey = await cacache.get(cache, key, { memoize: false });
    const whole =
      row.integrity === `sha512-${createHash('sha512').update(raw).digest('base64')}` &&
      row.size === raw.length &&
      row.encoding === 'gzip' &&
      byKey.data.equals(raw);
    if (!whole && !gunzipSync(byKey.data).equals(gunzipSync(raw))) wrong.push(name);
    else if (!whole) wrong.push(`${name} (packed otherwise than it was sent)`);
  });
  expect(wrong).toEqual([]);
}

/** Order of names: by bytes. */
export const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** The origin's names in a range, `[start, end)` by bytes. */
export function namesBetween(fake: FakeOrigin, start: string | null, end: string | null): string[] {
  return [...fake.names()].filter(
    (name) => (start === null || byBytes(name, start) >= 0) && (end === null || byBytes(name, end) < 0),
  );
}
