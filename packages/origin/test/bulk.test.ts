import { createPackumentKey, type StoredEntry } from '@_all_docs/cache';
import { HttpError } from '@_all_docs/http';
import { type HeldDocument, type ReceivedDocument, ReplicaClient } from '@_all_docs/origin';
import { createHash, hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inOrder, REGISTRY, replica } from './_replica.ts';

const NAMES = inOrder(Array.from({ length: 150 }, (_, i) => (i % 7 === 0 ? `@s/p${i}` : `p-${i}`)));
const entryOf = (name: string, size = 50 + ((name.length * 37) % 400)): StoredEntry => {
  const body = new Uint8Array(size).map((_, i) => (i * 31 + name.charCodeAt(i % name.length)) & 255);
  return { body, metadata: { storedAt: Date.UTC(2025, 5, 1), encoding: 'gzip', size, etag: `"${name}"`, rev: '1-a' } };
};

/** What happens to an answer on its way: its bytes, and whether it breaks off after them. */
type Way = (bytes: Buffer, turn: number) => { bytes: Buffer; cut: boolean };
/** How far along, all places alike: the edges would get nearly all of a double. */
const somewhere = fc.integer({ min: 0, max: 1_000_000 }).map((n) => n / 1_000_000);
const whole: Way = (bytes) => ({ bytes, cut: false });

async function pair(
  names: readonly string[] = NAMES,
  options: Parameters<typeof replica>[0] & { webCrypto?: boolean } = {},
) {
  const it = replica(options);
  for (const name of names) await it.storage.write(createPackumentKey(name, REGISTRY), entryOf(name));
  const asked: string[] = [];
  let [onTheWay, chunk]: [Way, number] = [whole, 1_000];
  const client = new ReplicaClient({
    env: {
      origin: 'http://replica.test',
      transport: () => Promise.reject(new Error('not asked')),
      clock: { now: () => Date.UTC(2026, 0, 1) },
      matchesDigest: options.webCrypto
        ? undefined
        : (body, digest) => digest === `sha256-${hash('sha256', body, 'base64')}`,
      streaming: async ({ url, body }) => {
        asked.push(url);
        const said = await it.ask(url.slice('http://replica.test'.length), {
          method: 'POST',
          body: Buffer.from(body ?? []).toString(),
        });
        const { bytes, cut } = onTheWay(said.bytes, asked.length);
        async function* pieces() {
          for (let at = 0; at < bytes.length; at += chunk) yield new Uint8Array(bytes.subarray(at, at + chunk));
          if (cut) throw new HttpError('ERR_FETCH_FAILED', 'the connection broke');
        }
        return { status: said.status, headers: said.headers, body: pieces() };
      },
    },
  });
  async function read({
    held = new Map<string, string | true>(),
    start = NAMES[0] as string,
    end = NAMES.at(-1) as string,
    way = whole,
    pieceBytes = 1_000,
  } = {}) {
    [onTheWay, chunk] = [way, pieceBytes];
    asked.length = 0;
    const got: (ReceivedDocument | HeldDocument)[] = [];
    for await (const batch of client.documents({ start, end, form: 'full', held })) got.push(...batch);
    return got;
  }
  return { ...it, client, asked, read };
}

const digestOf = (name: string) => `sha256-${createHash('sha256').update(entryOf(name).body).digest('base64')}`;

describe('documents in bulk', () => {
  test('all documents of a range come in one answer, in order, byte for byte, with their metadata', async () => {
    const { read, asked } = await pair(NAMES, { webCrypto: true });
    const got = await read();
    expect(asked).toHaveLength(1);
    expect(got.map(({ name }) => name)).toEqual(NAMES);
    for (const { name, entry } of got)
      expect(entry).toEqual({ ...entryOf(name), metadata: { ...entryOf(name).metadata, digest: digestOf(name) } });
  });

  test('both ends of the range belong to it, and what lies outside does not come', async () => {
    const { read } = await pair();
    const got = await read({ start: NAMES[10] as string, end: NAMES[20] as string });
    expect(got.map(({ name }) => name)).toEqual(NAMES.slice(10, 21));
  });

  test('what the client holds, by its digest, is said to be held; what it does not want is left out', async () => {
    const { read } = await pair();
    const [same, other, unwanted] = NAMES as [string, string, string];
    const held = new Map<string, string | true>([
      [same, digestOf(same)],
      [other, digestOf(same)],
      [unwanted, true],
    ]);
    const got = await read({ held });
    expect(got).toHaveLength(NAMES.length - 1);
    expect(got[0]).toEqual({ name: same, entry: undefined });
    expect(got[1]?.entry).toBeDefined();
    expect(got.map(({ name }) => name)).not.toContain(unwanted);
  });

  test('a cut anywhere loses nothing that came whole, and the rest is asked for once more', async () => {
    const { read, asked } = await pair();
    await fc.assert(
      fc.asyncProperty(
        somewhere,
        fc.boolean(),
        fc.integer({ min: 200, max: 5_000 }),
        async (at, broken, pieceBytes) => {
          const way: Way = (bytes, turn) =>
            turn === 1
              ? { bytes: bytes.subarray(0, Math.floor(at * (bytes.length - 1))), cut: broken }
              : { bytes, cut: false };
          const got = await read({ way, pieceBytes });
          expect(got.map(({ name }) => name)).toEqual(NAMES);
          expect(asked).toHaveLength(2);
        },
      ),
      { seed: 3, numRuns: 60 },
    );
  }, 60_000);

  test('a damaged byte anywhere never gives a document that is not the stored one', async () => {
    const { read } = await pair();
    await fc.assert(
      fc.asyncProperty(somewhere, fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const way: Way = (bytes, turn) => {
          if (turn > 1) return { bytes, cut: false };
          const damaged = Buffer.from(bytes);
          const place = Math.floor(at * (bytes.length - 1));
          damaged[place] = (damaged[place] as number) ^ flip;
          return { bytes: damaged, cut: false };
        };
        const got = await read({ way });
        const names = got.map(({ name }) => name);
        expect(names).toEqual(inOrder(new Set(names)));
        // At most the damaged one is left for the caller to ask for by name, or the one whose name was.
        expect(names.length).toBeGreaterThanOrEqual(NAMES.length - 2);
        for (const { name, entry } of got)
          expect(entry).toEqual({
            ...entryOf(name),
            metadata: { ...entryOf(name).metadata, digest: digestOf(name) },
          });
      }),
      { seed: 4, numRuns: 200 },
    );
  }, 60_000);

  test('streams that never bring anything are given up after three', async () => {
    const { read, asked } = await pair();
    expect(await read({ way: () => ({ bytes: Buffer.alloc(0), cut: true }) })).toEqual([]);
    expect(asked).toHaveLength(3);
  });

  test('an answer that is too long says where the next one goes on', async () => {
    const { read, asked } = await pair(NAMES, { bulkBytes: 20_000 });
    const got = await read();
    expect(got.map(({ name }) => name)).toEqual(NAMES);
    expect(asked.length).toBeGreaterThan(1);
  });

  test.each(['{}', '[1]', '["a"]', '["a","x"]', 'no json'])('%s as what is held is a 400', async (body) => {
    const { ask } = await pair([]);
    expect(await ask('/-/documents?form=full', { method: 'POST', body })).toMatchObject({
      status: 400,
      json: { error: 'Bad Request' },
    });
  });

  test('another form than the one that is held is a 400', async () => {
    const { ask } = await pair([]);
    expect((await ask('/-/documents?form=abbreviated', { method: 'POST' })).status).toBe(400);
  });
});
