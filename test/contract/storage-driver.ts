import type { EntryEncoding, EntryMetadata, StorageDriver, StoredEntry } from '@_all_docs/cache';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { breathe, byBytes, codeOf, collect, gzipped, inParallel, noise, sameBytes, utf8 } from './_bytes.ts';
import { AWKWARD_NAMES, type AwkwardName, ILL_FORMED } from './names.ts';

/** What a driver cannot do, and why: the reason shows in the skipped test's title. */
export interface StorageTraits {
  /** Reads may lag behind writes. */
  eventual?: { reason: string };
  /** Longest body the store takes, in bytes. */
  maxValueBytes?: { value: number; reason: string };
  /** Codings that `get` cannot undo on this runtime; gzip and identity are always required. */
  cannotDecode?: { value: readonly EntryEncoding[]; reason: string };
  /** The driver makes the notes `tier` and `large` itself, and shows them to nobody. */
  ownNotes?: { reason: string };
  /** How deep lists may lie in lists; 1,000 unless told. */
  maxDepth?: { value: number; reason: string };
  /** Many small writes take too long here. */
  slow?: { reason: string };
  /** The store cannot list: `list` is `ERR_NO_INDEX`. */
  unlisted?: { reason: string };
  /** Keys that the store has another use for: `ERR_BAD_KEY`. */
  reserved?: { value: readonly string[]; reason: string };
  /** The store has no compare-and-set: a `touch` beside a `write` may bring back what was before it. */
  lastWriteWins?: { reason: string };
}

export interface StorageContract {
  name: string;
  /** An empty driver; each call gives a fresh one. */
  create: () => StorageDriver | Promise<StorageDriver>;
  /** The same store again, after the given driver was closed; where entries outlive the driver. */
  reopen?: (closed: StorageDriver) => StorageDriver | Promise<StorageDriver>;
  /** Called once for every driver, closed by then. */
  destroy?: (driver: StorageDriver) => unknown;
  traits?: StorageTraits;
}

const BIG = 20 * 1024 * 1024;
const PAGE = 100;

const metadata = (more: Partial<EntryMetadata> = {}): EntryMetadata => ({
  storedAt: 1_700_000_000_000,
  encoding: 'identity',
  size: 0,
  ...more,
});
const entry = (body: Uint8Array | string, more: Partial<EntryMetadata> = {}): StoredEntry => {
  const bytes = typeof body === 'string' ? utf8(body) : body;
  return { body: bytes, metadata: metadata({ size: bytes.length, ...more }) };
};
const textOf = (stored: StoredEntry | undefined) =>
  stored && new TextDecoder('utf-8', { fatal: false, ignoreBOM: true }).decode(stored.body);

/** What every {@link StorageDriver} must do, whatever it is made of. */
export function storageDriverContract({ name, create, reopen, destroy, traits = {} }: StorageContract): void {
  const titled = (title: string, off: { reason: string } | undefined) =>
    off ? `${title} (off: ${off.reason})` : title;

  describe(`${name} keeps the storage contract`, () => {
    const made: StorageDriver[] = [];
    let driver: StorageDriver;

    const fresh = async () => {
      const next = await create();
      made.push(next);
      return next;
    };
    // Tests share a driver and keep to keys of their own, where nothing is said about the whole store.
    beforeAll(async () => {
      driver = await fresh();
    });
    afterAll(async () => {
      for (const each of made) {
        await each.close();
        await destroy?.(each);
      }
    });

    describe('keys', () => {
      it('of any text stay apart', async () => {
        const names = within(driver, 'keys:');
        await inParallel(names, 8, ({ text }) =>
          driver.write(`keys:${text}`, entry(`body of ${text}`, { etag: text.slice(0, 50) })),
        );
        for (const { text } of names) {
          const stored = await driver.read(`keys:${text}`);
          expect(textOf(stored)).toBe(`body of ${text}`);
          expect(stored?.metadata.etag).toBe(text.slice(0, 50));
        }
        await driver.delete('keys:a');
        expect(await driver.has('keys:a')).toBe(false);
        await listed(
          driver,
          'keys:',
          names
            .map(({ text }) => `keys:${text}`)
            .filter((key) => key !== 'keys:a')
            .sort(byBytes),
        );
      });

      it.for(AWKWARD_NAMES)('bare: $about', async ({ text }, { skip }) => {
        const own = await alone();
        if (utf8(text).length > own.maxKeyBytes) skip('longer than this driver takes');
        if (traits.reserved?.value.includes(text)) skip(traits.reserved.reason);
        await own.write(text, entry(text));
        expect(textOf(await own.read(text))).toBe(text);
        expect(await own.head(text)).toMatchObject({ size: utf8(text).length });
        await listed(own, undefined, [text]);
        await own.delete(text);
        expect(await own.read(text)).toBeUndefined();
        await listed(own, undefined, []);
      });

      const bad: [string, unknown][] = [
        ['the empty string', ''],
        ['undefined', undefined],
        ['null', null],
        ['a number', 1],
        ['an object', {}],
        ['an array', ['a']],
        ...ILL_FORMED.map(({ about, text }): [string, unknown] => [about, text]),
        ...(traits.reserved?.value ?? []).map((key): [string, unknown] => [`"${key}", which is reserved`, key]),
      ];
      it.each(bad)('refused with ERR_BAD_KEY: %s', async (_, key) => {
        for (const work of primitives(driver, key as string)) expect(await codeOf(work)).toBe('ERR_BAD_KEY');
      });

      it('too long are refused with ERR_KEY_TOO_LONG, where there is a limit', async ({ skip }) => {
        const limit = driver.maxKeyBytes;
        if (limit === Number.POSITIVE_INFINITY) skip('this driver takes keys of any length');
        const longest = `${'é'.repeat(Math.floor((limit - 1) / 2))}${limit % 2 === 0 ? 'ab' : 'a'}`;
        expect(utf8(longest).length).toBe(limit);
        await driver.write(longest, entry('fits'));
        expect(textOf(await driver.read(longest))).toBe('fits');
        for (const key of [`${longest}a`, 'é'.repeat(Math.floor(limit / 2) + 1), 'x'.repeat(limit + 1)]) {
          for (const work of primitives(driver, key)) expect(await codeOf(work)).toBe('ERR_KEY_TOO_LONG');
        }
        await driver.delete(longest);
      });
    });

    describe('read', () => {
      it('misses with undefined', async () => {
        expect(await driver.read('read:nothing')).toBeUndefined();
      });

      it.each([
        ['nothing', new Uint8Array(0)],
        ['one zero byte', new Uint8Array(1)],
        ['one byte', Uint8Array.of(255)],
        ['every byte', Uint8Array.from({ length: 256 }, (_, i) => i)],
        ['what is not UTF-8', Uint8Array.of(0xff, 0xfe, 0xed, 0xa0, 0x80, 0xc0, 0x80)],
        ['line ends', utf8('\r\n\n\r\0\u2028')],
        ['64 KiB less one', noise(65_535)],
        ['64 KiB', noise(65_536)],
        ['1 MiB and one', noise(2 ** 20 + 1)],
      ])('gives back exactly %s', async (about, body) => {
        await driver.write(`sizes:${about}`, entry(body));
        const stored = await driver.read(`sizes:${about}`);
        expect(sameBytes(stored?.body, body)).toBe(true);
        expect(stored?.body).toBeInstanceOf(Uint8Array);
        expect(stored?.metadata.size).toBe(body.length);
      });

      const tooBig = traits.maxValueBytes && traits.maxValueBytes.value < BIG ? traits.maxValueBytes : undefined;
      it.skipIf(tooBig)(titled('gives back exactly 20 MB of noise', tooBig), async () => {
        const body = noise(BIG, 7);
        await driver.write('sizes:big', entry(body));
        expect(sameBytes((await driver.read('sizes:big'))?.body, body)).toBe(true);
        await driver.delete('sizes:big');
      });

      it.skipIf(!traits.maxValueBytes)('a body over the limit is ERR_VALUE_TOO_LARGE', async () => {
        const body = new Uint8Array((traits.maxValueBytes?.value ?? 0) + 1);
        expect(await codeOf(() => driver.write('sizes:over', entry(body)))).toBe('ERR_VALUE_TOO_LARGE');
        expect(await driver.read('sizes:over')).toBeUndefined();
      });

      it('gives a view of a larger buffer its own bytes only', async () => {
        const buffer = noise(1_000).subarray(100, 200);
        await driver.write('sizes:view', entry(buffer));
        expect(sameBytes((await driver.read('sizes:view'))?.body, buffer.slice())).toBe(true);
      });
    });

    describe('metadata', () => {
      it.each(['identity', 'gzip', 'br', 'deflate', 'zstd'] as const)(
        'of %s bytes comes back exactly, the body untouched',
        async (encoding) => {
          const body = noise(100, 3);
          const full = metadata({
            encoding,
            size: 100,
            etag: 'W/"é-\\"quoted\\"-\u{1f600}"',
            lastModified: 'Tue, 14 Nov 2023 22:13:20 GMT',
            rev: '12-abc',
            modified: '2023-11-14T22:13:20.000Z',
          });
          await driver.write(`metadata:${encoding}`, { body, metadata: full });
          const stored = await driver.read(`metadata:${encoding}`);
          expect(stored?.metadata).toMatchObject({ ...full });
          expect(await driver.head(`metadata:${encoding}`)).toEqual(stored?.metadata);
          expect(sameBytes(stored?.body, body)).toBe(true);
        },
      );

      it.skipIf(traits.ownNotes)(titled('that wrappers note comes back exactly', traits.ownNotes), async () => {
        const tier = { asOf: 1_700_000_000_000.125, absent: true };
        const large = { key: 'object:é', size: 12, digest: 'sha256-x' };
        await driver.write('metadata:noted', entry('x', { tier, large }));
        expect(await driver.head('metadata:noted')).toMatchObject({ tier, large });
        expect((await driver.read('metadata:noted'))?.metadata).toMatchObject({ tier, large });
      });

      it('that was not given is not there', async () => {
        await driver.write('metadata:bare', { body: utf8('x'), metadata: metadata({ size: 1, etag: undefined }) });
        const { digest, ...rest } = (await driver.head('metadata:bare')) as EntryMetadata;
        expect(
          Object.entries(rest)
            .filter(([, value]) => value !== undefined)
            .sort(),
        ).toEqual(Object.entries(metadata({ size: 1 })).sort());
        expect(digest).toBeDefined();
      });

      it('of size is told by the bytes, not by the writer', async () => {
        await driver.write('metadata:size', entry('four', { size: 99 }));
        expect(await driver.head('metadata:size')).toMatchObject({ size: 4 });
      });

      it('of time keeps milliseconds, zero included', async () => {
        for (const storedAt of [0, 1, 1_700_000_000_123, 8_640_000_000_000_000]) {
          await driver.write('metadata:time', entry('x', { storedAt }));
          expect((await driver.head('metadata:time'))?.storedAt).toBe(storedAt);
        }
      });

      it.each(['', 'some bytes'])('has the digest of the stored bytes: "%s"', async (text) => {
        await driver.write('metadata:digest', entry(text));
        const digest = (await driver.head('metadata:digest'))?.digest ?? '';
        const [, bits] = /^sha(256|384|512)-/.exec(digest) ?? [];
        expect(bits).toBeDefined();
        const hash = new Uint8Array(await crypto.subtle.digest(`SHA-${bits}`, utf8(text)));
        expect(digest).toBe(`sha${bits}-${btoa(String.fromCharCode(...hash))}`);
      });

      it('has the digest that is told of a body before', async () => {
        const told = await driver.digest(utf8('told'));
        await driver.write('metadata:told', entry('told'));
        expect((await driver.read('metadata:told'))?.metadata.digest).toBe(told);
      });

      it('takes the digest that the writer gives', async () => {
        const hash = new Uint8Array(await crypto.subtle.digest('SHA-512', utf8('given')));
        const digest = `sha512-${btoa(String.fromCharCode(...hash))}`;
        await driver.write('metadata:given', entry('given', { digest }));
        expect((await driver.read('metadata:given'))?.metadata.digest).toBe(digest);
      });
    });

    describe('write', () => {
      it('replaces body and metadata together', async () => {
        await driver.write('write:again', entry('first, and longer', { etag: '1', rev: '1-a' }));
        await driver.write('write:again', entry('second', { etag: '2' }));
        const stored = await driver.read('write:again');
        expect(textOf(stored)).toBe('second');
        expect(stored?.metadata).toMatchObject({ etag: '2', size: 6 });
        expect(stored?.metadata.rev).toBeUndefined();
        await driver.write('write:again', entry('first, and longer', { etag: '1' }));
        expect(textOf(await driver.read('write:again'))).toBe('first, and longer');
      });

      it('after a delete starts anew', async () => {
        await driver.write('write:anew', entry('same', { rev: '1-a' }));
        await driver.delete('write:anew');
        await driver.write('write:anew', entry('same'));
        expect((await driver.read('write:anew'))?.metadata.rev).toBeUndefined();
      });

      it('of the same bytes under two keys keeps two entries', async () => {
        await driver.write('write:twin-1', entry('twin', { etag: '1' }));
        await driver.write('write:twin-2', entry('twin', { etag: '2' }));
        await driver.delete('write:twin-1');
        expect(await driver.read('write:twin-1')).toBeUndefined();
        expect(textOf(await driver.read('write:twin-2'))).toBe('twin');
        expect((await driver.head('write:twin-2'))?.etag).toBe('2');
      });

      it('keeps its own copy: what the writer does to its objects later changes nothing', async () => {
        const body = utf8('written');
        const own = metadata({ size: body.length, etag: 'e' });
        await driver.write('immutable:written', { body, metadata: own });
        body.fill(0);
        own.etag = 'changed';
        const stored = await driver.read('immutable:written');
        expect(textOf(stored)).toBe('written');
        expect(stored?.metadata.etag).toBe('e');
      });

      it('leaves the objects that it was given as they are', async () => {
        const given = Object.freeze({ body: utf8('frozen'), metadata: Object.freeze(metadata({ size: 1 })) });
        await driver.write('immutable:frozen', given);
        expect(given.metadata.size).toBe(1);
        expect(new TextDecoder().decode(given.body)).toBe('frozen');
      });

      it('is not undone by what a reader does to its objects', async () => {
        await driver.write('immutable:read', entry('read', { etag: 'e' }));
        const [first, second] = [await driver.read('immutable:read'), await driver.read('immutable:read')];
        first?.body.fill(0);
        if (first) first.metadata.etag = 'changed';
        const head = await driver.head('immutable:read');
        if (head) head.etag = 'changed too';
        expect(textOf(second)).toBe('read');
        expect(second?.metadata.etag).toBe('e');
        expect(textOf(await driver.read('immutable:read'))).toBe('read');
        expect((await driver.head('immutable:read'))?.etag).toBe('e');
      });
    });

    describe('head', () => {
      it('misses with undefined', async () => {
        expect(await driver.head('head:nothing')).toBeUndefined();
      });

      it('says what read says', async () => {
        await driver.write('head:there', entry('body', { etag: 'e' }));
        expect(await driver.head('head:there')).toEqual((await driver.read('head:there'))?.metadata);
      });
    });

    describe('open', () => {
      const bytesOf = async (body: ReadableStream<Uint8Array>) =>
        new Uint8Array(await new Response(body as unknown as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer());

      it('misses with undefined', async () => {
        expect(await driver.open('open:nothing')).toBeUndefined();
      });

      it.each([0, 1, 65_536, 1_000_001])('says what head says, and streams exactly the %i bytes', async (length) => {
        const body = noise(length, 5);
        await driver.write(`open:${length}`, entry(body, { etag: 'e', encoding: 'br' }));
        const opened = await driver.open(`open:${length}`);
        expect(opened?.metadata).toEqual(await driver.head(`open:${length}`));
        expect(sameBytes(opened && (await bytesOf(opened.body)), body)).toBe(true);
      });

      it('lets go of a body that nobody reads, as often as there are', async () => {
        await driver.write('open:left', entry(noise(300_000), { etag: 'e' }));
        for (let i = 0; i < 50; i++) {
          const opened = await driver.open('open:left');
          expect(opened?.metadata.etag).toBe('e');
          await opened?.cancel();
        }
        expect(sameBytes((await driver.read('open:left'))?.body, noise(300_000))).toBe(true);
      });

      it('that has begun goes on with the bytes that it found', async () => {
        await driver.write('open:old', entry(noise(1_000_000, 1), { etag: 'old' }));
        const opened = await driver.open('open:old');
        await driver.write('open:old', entry(noise(1_000_000, 2), { etag: 'new' }));
        expect(opened?.metadata.etag).toBe('old');
        expect(sameBytes(opened && (await bytesOf(opened.body)), noise(1_000_000, 1))).toBe(true);
      });
    });

    describe('delete', () => {
      it('removes, and is idempotent', async () => {
        await driver.write('delete:it', entry('x'));
        await driver.delete('delete:it');
        await driver.delete('delete:it');
        expect(await driver.read('delete:it')).toBeUndefined();
        expect(await driver.head('delete:it')).toBeUndefined();
        expect(await driver.has('delete:it')).toBe(false);
        await listed(driver, 'delete:', []);
      });

      it('of what never was does nothing', async () => {
        await driver.delete('delete:never');
        expect(await driver.has('delete:never')).toBe(false);
      });

      it('leaves keys alone that begin alike', async () => {
        await inParallel(['delete:a', 'delete:ab', 'delete:a:b', 'delete:A'], 4, (key) =>
          driver.write(key, entry(key)),
        );
        await driver.delete('delete:a');
        expect(await driver.has('delete:ab')).toBe(true);
        await listed(driver, 'delete:', ['delete:A', 'delete:a:b', 'delete:ab']);
        await inParallel(['delete:A', 'delete:a:b', 'delete:ab'], 4, (key) => driver.delete(key));
      });
    });

    it.skipIf(!traits.unlisted)('list is refused with ERR_NO_INDEX by a store that has none', async () => {
      expect(await codeOf(() => collect(driver.list()))).toBe('ERR_NO_INDEX');
    });

    describe.skipIf(traits.unlisted)(titled('list', traits.unlisted), () => {
      const KEYS = [
        'list:B',
        'list:a',
        'list:a!',
        'list:a%',
        'list:a_',
        'list:a:1',
        'list:a:1:x',
        'list:a:10',
        'list:a:2',
        'list:aa',
        'list:b',
        'list:\u00e9',
        'list:\u00e9\uff5e',
        'list:\u00e9\u{1f600}',
        'list:\u00e9\u{10ffff}',
        'list:\u00e9\u{10ffff}z',
        'list:\uff5e',
        'list:\u{1f600}',
      ].sort(byBytes);
      beforeAll(() =>
        inParallel([...KEYS, 'lis', 'list', 'lisu', 'lisu:a'].reverse(), 8, (key) => driver.write(key, entry(key))),
      );

      const prefixes = [
        'list:',
        'list',
        'list:a',
        'list:a:',
        'list:a:1',
        'list:a%',
        'list:a_',
        'list:B',
        'list:\u00e9',
        'list:\u{1f600}',
        'list:zzz',
        'lis',
        'nothing',
        'li\u{10ffff}',
      ];
      it.each(prefixes)('by the prefix %s, in the order of bytes', async (prefix) => {
        const all = [...KEYS, 'lis', 'list', 'lisu', 'lisu:a'].filter((key) => key.startsWith(prefix)).sort(byBytes);
        expect(await collect(driver.list(prefix))).toEqual(all);
      });

      it('from a key on, whether that key is there or not', async () => {
        for (const after of [...KEYS, 'list:', 'list:a:15', 'list:~', 'list:\u{10ffff}', 'list', 'a', 'zzz']) {
          expect(await collect(driver.list('list:', { after })), after).toEqual(
            KEYS.filter((key) => byBytes(key, after) > 0),
          );
        }
      });

      it('no more than the limit', async () => {
        for (const limit of [0, 1, 2, KEYS.length, KEYS.length + 1, Number.POSITIVE_INFINITY, undefined]) {
          expect(await collect(driver.list('list:', { limit })), String(limit)).toEqual(KEYS.slice(0, limit));
        }
      });

      it('both together walk through in pages of any length', async () => {
        for (let limit = 1; limit <= KEYS.length; limit++) {
          const seen: string[] = [];
          for (
            let page: string[] = [], after: string | undefined;
            seen.length === 0 || page.length === limit;
            after = page.at(-1)
          ) {
            page = await collect(driver.list('list:', { after, limit }));
            seen.push(...page);
          }
          expect(seen).toEqual(KEYS);
        }
      });

      it('of everything when nothing is asked for', async () => {
        const own = await alone();
        expect(await collect(own.list())).toEqual([]);
        await inParallel(KEYS, 8, (key) => own.write(key, entry(key)));
        expect(await collect(own.list())).toEqual(KEYS);
        expect(await collect(own.list(undefined, {}))).toEqual(KEYS);
        expect(await collect(own.list('', { limit: 3 }))).toEqual(KEYS.slice(0, 3));
        await inParallel(KEYS, 8, (key) => own.delete(key));
      });

      it('may be left early and asked again', async () => {
        for await (const key of driver.list('list:')) {
          expect(key).toBe(KEYS[0]);
          break;
        }
        expect(await collect(driver.list('list:', { limit: 1 }))).toEqual([KEYS[0]]);
      });

      it.skipIf(traits.slow)(
        titled('pages through 2,500 keys without loss or repeat while others write', traits.slow),
        async () => {
          const own = await fresh();
          const keys = Array.from({ length: 2_500 }, (_, i) => `page:${String(i * 2).padStart(6, '0')}`);
          await inParallel([...keys].reverse(), 32, (key) => own.write(key, entry('x')));
          let going = true;
          let written = 0;
          const others = (async () => {
            while (going) {
              // Before, between and after whatever the readers have reached, and over what is there.
              const odd = `page:${String(((written * 7919) % 2_500) * 2 + 1).padStart(6, '0')}`;
              await Promise.all([
                own.write(odd, entry('odd')),
                own.write(keys[(written * 31) % keys.length] as string, entry(`y${written}`)),
              ]);
              if (written % 3 === 0) await own.delete(odd);
              written += 1;
              await breathe();
            }
          })();
          const paged: string[] = [];
          for (
            let page: string[] = [], after: string | undefined;
            paged.length === 0 || page.length === PAGE;
            after = page.at(-1)
          ) {
            page = await collect(own.list('page:', { after, limit: PAGE }));
            paged.push(...page);
            await breathe();
          }
          const inOne: string[] = [];
          for await (const key of own.list('page:')) {
            inOne.push(key);
            if (inOne.length % PAGE === 0) await breathe();
          }
          going = false;
          await others;
          expect(written).toBeGreaterThan(0);
          const even = new Set(keys);
          for (const seen of [paged, inOne]) {
            expect(seen.filter((key) => even.has(key))).toEqual(keys);
            expect(new Set(seen).size).toBe(seen.length);
            expect([...seen].sort(byBytes)).toEqual(seen);
          }
        },
        120_000,
      );
    });

    describe('touch', () => {
      it('renews what is known and keeps the rest', async () => {
        await driver.write('touch:it', entry('body', { etag: '1', rev: '1-a', encoding: 'gzip' }));
        const before = (await driver.head('touch:it')) as EntryMetadata;
        await driver.touch('touch:it', { storedAt: 5, etag: '2' });
        const stored = await driver.read('touch:it');
        expect(stored?.metadata).toEqual({ ...before, storedAt: 5, etag: '2' });
        expect(textOf(stored)).toBe('body');
        expect(await driver.head('touch:it')).toEqual(stored?.metadata);
      });

      it('of a miss makes nothing', async () => {
        await driver.touch('touch:nothing', { storedAt: 5 });
        expect(await driver.has('touch:nothing')).toBe(false);
        expect(await driver.read('touch:nothing')).toBeUndefined();
      });

      it('at the same time as a write never mixes an old body with new metadata', async () => {
        await driver.write('touch:race', entry('old', { etag: 'old' }));
        await Promise.all([
          driver.write('touch:race', entry('new', { etag: 'new' })),
          driver.touch('touch:race', { storedAt: 9 }),
          driver.touch('touch:race', { storedAt: 9 }),
        ]);
        const stored = await driver.read('touch:race');
        expect(textOf(stored)).toBe(stored?.metadata.etag);
        if (!traits.lastWriteWins) expect(stored?.metadata.etag).toBe('new');
      });
    });

    describe('get, set and has', () => {
      it.each([
        ['an object', { a: [1, null, 'é\u{1f600}'], __proto__: null }],
        ['a list', []],
        ['zero', 0],
        ['the empty text', ''],
        ['false', false],
        ['null', null],
        ['text with everything', AWKWARD_NAMES.map(({ text }) => text).join('')],
        ['a lone surrogate', '\ud83d'],
        ['something deep', nested(traits.maxDepth?.value ?? 1_000)],
      ])('carry %s', async (about, value) => {
        await driver.set(`json:${about}`, value);
        expect(await driver.get(`json:${about}`)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(await driver.has(`json:${about}`)).toBe(true);
      });

      it('miss with undefined and false', async () => {
        expect(await driver.get('json:nothing')).toBeUndefined();
        expect(await driver.has('json:nothing')).toBe(false);
      });

      it('set stores plain JSON, dated', async () => {
        await driver.set('json:plain', { a: 'é' });
        const stored = await driver.read('json:plain');
        expect(textOf(stored)).toBe('{"a":"é"}');
        expect(stored?.metadata).toMatchObject({ encoding: 'identity', size: 10 });
        expect(stored?.metadata.storedAt).toBeGreaterThan(1_600_000_000_000);
      });

      it.each([
        ['undefined', undefined],
        ['a function', () => 1],
        ['a symbol', Symbol('x')],
      ])('set refuses %s and leaves what was there', async (_, value) => {
        await driver.set('json:kept', 'old');
        expect(await codeOf(() => driver.set('json:kept', value))).toBe('ERR_STORAGE_WRITE');
        expect(await driver.get('json:kept')).toBe('old');
      });

      it.each(['', '{', 'undefined', '\ufeff', '<html>', '{"a":1}x'])(
        'get of what is not JSON is ERR_CORRUPT: "%s"',
        async (text) => {
          await driver.write('json:bad', entry(text));
          expect(await codeOf(() => driver.get('json:bad'))).toBe('ERR_CORRUPT');
          expect(textOf(await driver.read('json:bad'))).toBe(text);
        },
      );

      it('get of damaged gzip is ERR_CORRUPT', async () => {
        await driver.write('json:cut', entry((await gzipped('{"a":1}')).subarray(0, 12), { encoding: 'gzip' }));
        expect(await codeOf(() => driver.get('json:cut'))).toBe('ERR_CORRUPT');
      });

      it('get undoes gzip', async () => {
        await driver.write('json:gzip', entry(await gzipped('{"a":1}'), { encoding: 'gzip' }));
        expect(await driver.get('json:gzip')).toEqual({ a: 1 });
      });

      const zlib = () => import('node:zlib');
      const off = traits.cannotDecode;
      for (const encoding of ['deflate', 'br', 'zstd'] as const) {
        const without = off?.value.includes(encoding) ? off : undefined;
        it.skipIf(without)(titled(`get undoes ${encoding}`, without), async () => {
          const { brotliCompressSync, deflateSync, zstdCompressSync } = await zlib();
          const pack = { deflate: deflateSync, br: brotliCompressSync, zstd: zstdCompressSync }[encoding];
          await driver.write(`json:${encoding}`, entry(pack('{"a":1}'), { encoding }));
          expect(await driver.get(`json:${encoding}`)).toEqual({ a: 1 });
        });
      }
    });

    describe.skipIf(traits.eventual)(titled('many at once', traits.eventual), () => {
      it('64 writers of one key leave one of them, whole, listed once', async () => {
        const writers = Array.from({ length: 64 }, (_, i) => i);
        await Promise.all(
          writers.map((i) => driver.write('crowd:one', entry(noise(1 + i * 97, i), { etag: String(i), storedAt: i }))),
        );
        const stored = await driver.read('crowd:one');
        const winner = Number(stored?.metadata.etag);
        expect(writers).toContain(winner);
        expect(sameBytes(stored?.body, noise(1 + winner * 97, winner))).toBe(true);
        expect(stored?.metadata).toMatchObject({ storedAt: winner, size: 1 + winner * 97 });
        await listed(driver, 'crowd:', ['crowd:one']);
      });

      it('writers of many keys each get theirs', async () => {
        const keys = Array.from({ length: 300 }, (_, i) => `many:${i}`);
        await Promise.all(keys.map((key) => driver.write(key, entry(key))));
        for (const key of keys) expect(textOf(await driver.read(key))).toBe(key);
        await listed(driver, 'many:', [...keys].sort(byBytes));
      });

      it('readers beside writers see whole entries only, never a miss', async () => {
        await driver.write('crowd:read', entry('0', { etag: '0' }));
        let going = true;
        const reading = Array.from({ length: 4 }, async () => {
          const seen: string[] = [];
          while (going) {
            const stored = await driver.read('crowd:read');
            seen.push(`${textOf(stored)?.length}=${stored?.metadata.etag}/${stored?.metadata.size}`);
            const head = await driver.head('crowd:read');
            seen.push(`${head?.size}=${head?.etag}/${head?.size}`);
            await breathe();
          }
          return seen;
        });
        for (let i = 1; i <= 100; i++) await driver.write('crowd:read', entry('x'.repeat(i), { etag: String(i) }));
        going = false;
        for (const seen of await Promise.all(reading)) {
          const torn = seen.filter(
            (text) => !/^(\d+)=(\1|0)\/\1$/.test(text) || (text.includes('=0/') && text !== '1=0/1'),
          );
          expect(torn).toEqual([]);
        }
      });

      it('readers beside writers and deleters see a whole entry or a miss', async () => {
        let going = true;
        const reading = (async () => {
          const seen = new Set<string | undefined>();
          while (going) {
            const stored = await driver.read('crowd:gone');
            seen.add(stored && `${textOf(stored)}|${stored.metadata.etag}`);
            await breathe();
          }
          return seen;
        })();
        for (let i = 0; i < 60; i++) {
          await Promise.all([
            driver.write('crowd:gone', entry('a', { etag: 'a' })),
            driver.delete('crowd:gone'),
            driver.write('crowd:gone', entry('b', { etag: 'b' })),
          ]);
        }
        going = false;
        for (const each of await reading) expect([undefined, 'a|a', 'b|b']).toContain(each);
      });

      it('a write that was acknowledged is seen by every call after it', async () => {
        await inParallel(
          Array.from({ length: 100 }, (_, i) => `seen:${i}:`),
          16,
          async (key) => {
            await driver.write(key, entry(key));
            const [stored, head] = await Promise.all([driver.read(key), driver.head(key), listed(driver, key, [key])]);
            expect([textOf(stored), head?.size]).toEqual([key, key.length]);
          },
        );
      });
    });

    describe('close', () => {
      it('waits for what is under way', async () => {
        const own = await create();
        const writes = Array.from({ length: 20 }, (_, i) => own.write(`close:${i}`, entry(`body ${i}`)));
        await Promise.all([own.close(), ...writes]);
        const again = reopen ? await reopen(own) : undefined;
        if (again) for (let i = 0; i < 20; i++) expect(textOf(await again.read(`close:${i}`))).toBe(`body ${i}`);
        await again?.close();
        await destroy?.(again ?? own);
      });

      it('twice is once', async () => {
        const own = await fresh();
        await own.write('close:twice', entry('x'));
        await own.close();
        await own.close();
      });

      it.skipIf(!reopen)(
        titled('keeps everything for the next one', reopen ? undefined : { reason: 'nothing outlives this driver' }),
        async () => {
          const own = await create();
          const names = within(own).filter(({ text }) => !traits.reserved?.value.includes(text));
          await inParallel(names, 8, ({ text }) => own.write(text, entry(text, { etag: 'e', encoding: 'br' })));
          await own.delete('a');
          await own.touch('A', { etag: 'touched' });
          await own.close();
          const again = await (reopen as NonNullable<typeof reopen>)(own);
          const kept = names
            .map(({ text }) => text)
            .filter((text) => text !== 'a')
            .sort(byBytes);
          expect(await collect(again.list())).toEqual(kept);
          for (const text of kept) {
            const stored = await again.read(text);
            expect(textOf(stored)).toBe(text);
            expect(stored?.metadata).toMatchObject({ etag: text === 'A' ? 'touched' : 'e', encoding: 'br' });
          }
          await again.close();
          await destroy?.(again);
        },
      );
    });

    /** Looks at a listing beside other things, where there is one. */
    async function listed(of: StorageDriver, prefix: string | undefined, keys: readonly string[]): Promise<void> {
      if (!traits.unlisted) expect(await collect(of.list(prefix))).toEqual(keys);
    }

    /** An empty driver, one for all tests that leave it empty. */
    let empty: StorageDriver | undefined;
    async function alone(): Promise<StorageDriver> {
      empty ??= await fresh();
      return empty;
    }
    beforeEach(async () => {
      if (!empty || traits.unlisted) return;
      for (const key of await collect(empty.list())) await empty.delete(key);
    });
  });
}

/** The names that this driver takes as keys. */
function within(driver: StorageDriver, prefix = ''): readonly AwkwardName[] {
  return AWKWARD_NAMES.filter(({ text }) => utf8(prefix + text).length <= driver.maxKeyBytes);
}

/** A list in a list in a list. */
function nested(depth: number): unknown {
  return JSON.parse('['.repeat(depth) + ']'.repeat(depth));
}

/** Everything that takes a key. */
function primitives(driver: StorageDriver, key: string): (() => Promise<unknown>)[] {
  return [
    () => driver.read(key),
    () => driver.head(key),
    () => driver.write(key, entry('x')),
    () => driver.delete(key),
    () => driver.touch(key, { storedAt: 1 }),
    () => driver.get(key),
    () => driver.set(key, 1),
    () => driver.has(key),
  ];
}
