import { CacheError, MemoryOrderedStore } from '@_all_docs/cache';
import { MemoryBlobBackend, Store } from '@_all_docs/content';
import { HttpError } from '@_all_docs/http';
import { createLeaseFlight, createSingleFlight, type SingleFlight } from '@_all_docs/registry';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf, collect, noise, randomFrom } from '../../../test/contract/_bytes.ts';
import {
  answer,
  bytesOf,
  distFor,
  FILE,
  hashers,
  originOf,
  ScriptedBody,
  sceneOf,
  settle,
  sri,
  transfer,
  URL_OF_A,
} from './_tarballs.ts';

const BYTES = Buffer.from(noise(3_000));

/** A backend that is done with a write when the gate is opened. */
function slowBackend() {
  const backend = new MemoryBlobBackend();
  const gate = Promise.withResolvers<void>();
  const write = backend.write.bind(backend);
  backend.write = async (...args) => {
    await write(...args);
    await gate.promise;
  };
  return { backend, gate };
}

describe('a tarball', () => {
  it('is fetched once, kept, and served from the store from then on', async () => {
    const streaming = originOf(answer(BYTES));
    const { open, tarballs, env } = sceneOf({ streaming, dist: distFor(BYTES) });
    const cold = await open();
    expect(cold).toMatchObject({ size: 3_000, integrity: sri(BYTES), etag: `"${sri(BYTES)}"`, immutable: true });
    expect((await bytesOf(cold?.stream())).equals(BYTES)).toBe(true);
    await settle();
    const warm = await open();
    expect(warm).toMatchObject({ size: 3_000, integrity: cold?.integrity, etag: cold?.etag, immutable: true });
    expect((await bytesOf(warm?.stream())).equals(BYTES)).toBe(true);
    expect(Buffer.from(warm?.bytes ?? []).equals(BYTES)).toBe(true);
    expect(streaming.requests).toHaveLength(1);
    expect(streaming.requests[0]).toMatchObject({ url: URL_OF_A, headers: { 'accept-encoding': 'identity' } });
    expect(streaming.requests[0]?.headers).not.toHaveProperty('cache-control');
    expect(tarballs.stats()).toMatchObject({ hits: 1, fetched: 1, joined: 0, inFlight: 0, heldBytes: 0 });
    const row = JSON.parse((await env.ordered.get(tarballs.keyOf('a', FILE))) ?? 'null');
    expect(row).toMatchObject({ version: '1.0.0', integrity: sri(BYTES), size: 3_000 });
  });

  it('has a key that names origin, package and file, and nothing of a path', () => {
    const { tarballs } = sceneOf({ streaming: originOf() });
    expect(tarballs.keyOf('@a/b', '../c.tgz')).toBe(
      `v1:version:${encodeURIComponent('https://registry.example.test/npm')}:40612f62:2e2e2f632e74677a`,
    );
  });

  it('that no version has is none, and the origin is not asked', async () => {
    const streaming = originOf();
    const { tarballs } = sceneOf({ streaming, dist: distFor(BYTES) });
    expect(await tarballs.open('a', 'a-2.0.0.tgz')).toBeUndefined();
    expect(await tarballs.open('b', FILE)).toBeUndefined();
    expect(streaming.requests).toEqual([]);
  });

  it('whose version was removed is not served any more, though it is held', async () => {
    let dist: ReturnType<typeof distFor> | undefined = distFor(BYTES);
    const { open } = sceneOf({ streaming: originOf(answer(BYTES)), dist: () => dist });
    await bytesOf((await open())?.stream());
    dist = undefined;
    expect(await open()).toBeUndefined();
  });

  it('that is held can be had while its document cannot; another cannot', async () => {
    let trouble = false;
    const error = new HttpError('ERR_TIMEOUT', 'no document');
    const { open } = sceneOf({
      streaming: originOf(answer(BYTES)),
      dist: () => {
        if (trouble) throw error;
        return distFor(BYTES);
      },
    });
    trouble = true;
    await expect(open()).rejects.toBe(error);
    trouble = false;
    await bytesOf((await open())?.stream());
    await settle();
    trouble = true;
    const kept = await open();
    expect(kept?.etag).toBe(`"${sri(BYTES)}"`);
    expect((await bytesOf(kept?.stream())).equals(BYTES)).toBe(true);
  });

  it('is fetched anew when the document says that it is another one now', async () => {
    const other = Buffer.from(noise(500, 2));
    let dist = distFor(BYTES);
    const streaming = originOf(answer(BYTES), answer(other));
    const { open } = sceneOf({ streaming, dist: () => dist });
    await bytesOf((await open())?.stream());
    dist = distFor(other);
    expect((await bytesOf((await open())?.stream())).equals(other)).toBe(true);
    expect((await bytesOf((await open())?.stream())).equals(other)).toBe(true);
    expect(streaming.requests).toHaveLength(2);
  });

  it('is checked by its shasum where there is no integrity', async () => {
    const shasum = Buffer.from(sri(BYTES, 'sha1').slice(5), 'base64').toString('hex');
    const { open } = sceneOf({
      streaming: originOf(answer(BYTES)),
      dist: distFor(BYTES, { integrity: undefined, shasum }),
    });
    expect(await open()).toMatchObject({ integrity: sri(BYTES, 'sha1'), immutable: true });
    await settle();
    expect((await bytesOf((await open())?.stream())).equals(BYTES)).toBe(true);
    const wrong = sceneOf({
      streaming: originOf(answer('another')),
      dist: distFor(BYTES, { integrity: '', shasum }),
    });
    expect((await transfer(await wrong.open())).error).toMatchObject({ code: 'ERR_INTEGRITY' });
  });

  it('of which the document says nothing is served, without a promise', async () => {
    const { open, blobs } = sceneOf({
      streaming: originOf(answer(BYTES)),
      dist: distFor(BYTES, { integrity: undefined }),
    });
    const tarball = await open();
    expect(tarball).toMatchObject({ integrity: undefined, etag: undefined, immutable: false });
    expect((await bytesOf(tarball?.stream())).equals(BYTES)).toBe(true);
    await settle();
    expect(await blobs()).toBe(1);
  });

  it('has no size before it is here, when the origin announces none', async () => {
    const { open } = sceneOf({
      streaming: originOf(answer(new ScriptedBody().push(BYTES).end())),
      dist: distFor(BYTES),
    });
    const cold = await open();
    expect(cold?.size).toBeUndefined();
    expect((await bytesOf(cold?.stream())).equals(BYTES)).toBe(true);
    await settle();
    expect((await open())?.size).toBe(3_000);
  });

  it('tells eviction of every use', async () => {
    const touched: string[] = [];
    const { open, tarballs } = sceneOf({
      streaming: originOf(answer(BYTES)),
      dist: distFor(BYTES),
      touch: (key) => touched.push(key),
    });
    await bytesOf((await open())?.stream());
    await settle();
    expect(touched).toEqual([]);
    await open();
    await open();
    expect(touched).toEqual([tarballs.keyOf('a', FILE), tarballs.keyOf('a', FILE)]);
  });

  it('is all sent when it was found to be right, not when it is kept', async () => {
    const { backend, gate } = slowBackend();
    const { open, tarballs } = sceneOf({
      streaming: originOf(answer(BYTES)),
      dist: distFor(BYTES),
      env: { blobs: new Store({ backend, hashers }) },
    });
    expect((await bytesOf((await open())?.stream())).equals(BYTES)).toBe(true);
    expect(tarballs.stats()).toMatchObject({ inFlight: 1, hits: 0 });
    // Whoever comes now has it from memory.
    expect((await bytesOf((await open())?.stream())).equals(BYTES)).toBe(true);
    gate.resolve();
    await settle();
    expect(tarballs.stats()).toMatchObject({ fetched: 1, joined: 1, inFlight: 0 });
    expect((await open())?.bytes).toHaveLength(BYTES.length);
  });

  it('is all sent only when it is kept, where the store is far behind', async () => {
    const bytes = Buffer.from(noise(17 * 1024 * 1024));
    const { backend, gate } = slowBackend();
    const { open } = sceneOf({
      streaming: originOf(answer(bytes)),
      dist: distFor(bytes),
      windowBytes: 2 * bytes.length,
      env: { blobs: new Store({ backend, hashers }) },
    });
    let isSent = false;
    const sent = bytesOf((await open())?.stream()).then((got) => {
      isSent = true;
      return got;
    });
    await settle();
    expect(isSent).toBe(false);
    gate.resolve();
    expect((await sent).equals(bytes)).toBe(true);
  });

  it('keeps the runtime alive until it is stored', async () => {
    const alive: Promise<unknown>[] = [];
    const body = new ScriptedBody().push(BYTES);
    const { open, blobs } = sceneOf({
      streaming: originOf(answer(body)),
      dist: distFor(BYTES),
      env: { waitUntil: (promise) => alive.push(promise) },
    });
    await open();
    expect(alive).toHaveLength(1);
    body.end();
    await alive[0];
    expect(await blobs()).toBe(1);
  });
});

describe('one flight', () => {
  it('serves 100 clients that come at once', async () => {
    const body = new ScriptedBody();
    const streaming = originOf(answer(body));
    const { open, tarballs } = sceneOf({ streaming, dist: distFor(BYTES) });
    const opening = Array.from({ length: 100 }, open);
    await settle();
    body.push(BYTES.subarray(0, 1_000));
    const transfers = (await Promise.all(opening)).map(transfer);
    body.push(BYTES.subarray(1_000, 2_500), BYTES.subarray(2_500)).end();
    for (const { bytes } of await Promise.all(transfers)) expect(bytes.equals(BYTES)).toBe(true);
    expect(streaming.requests).toHaveLength(1);
    expect(tarballs.stats()).toMatchObject({ fetched: 1, joined: 99 });
  });

  it('goes on when the first client goes away, and when all do', async () => {
    const body = new ScriptedBody();
    const streaming = originOf(answer(body));
    const { open, blobs } = sceneOf({ streaming, dist: distFor(BYTES) });
    const [first, second] = await Promise.all([open(), open()]);
    const reader = first?.stream().getReader();
    body.push(BYTES.subarray(0, 10), BYTES.subarray(10, 20));
    await reader?.read();
    const leaving = reader?.cancel();
    const reading = transfer(second);
    body.push(BYTES.subarray(20)).end();
    expect((await reading).bytes.equals(BYTES)).toBe(true);
    await leaving;
    expect(await blobs()).toBe(1);

    const again = new ScriptedBody();
    const alone = sceneOf({ streaming: originOf(answer(again)), dist: distFor(BYTES) });
    const stream = (await alone.open())?.stream();
    again.push(BYTES.subarray(0, 10));
    const cancelled = stream?.cancel();
    again.push(BYTES.subarray(10)).end();
    await cancelled;
    await settle();
    expect(await alone.blobs()).toBe(1);
    expect(again.isClosed).toBe(true);
  });

  it('is not missed by whoever comes while it lands', async () => {
    const streaming = originOf(() => answer(BYTES));
    for (let turns = 0; turns < 60; turns++) {
      const { open } = sceneOf({ streaming, dist: distFor(BYTES) });
      streaming.requests.length = 0;
      const first = open().then((tarball) => bytesOf(tarball?.stream()));
      for (let i = 0; i < turns; i++) await Promise.resolve();
      expect((await bytesOf((await open())?.stream())).equals(BYTES)).toBe(true);
      await first;
      expect(streaming.requests).toHaveLength(1);
    }
  });

  it.each([
    ['no answer', () => Promise.reject(new HttpError('ERR_TIMEOUT', 'silence')), 'ERR_TIMEOUT'],
    ['503', () => answer('busy', {}, 503), 'ERR_FETCH_FAILED'],
    ['401', () => answer('who are you', {}, 401), 'ERR_FETCH_FAILED'],
    ['206', () => answer(BYTES.subarray(0, 9), {}, 206), 'ERR_FETCH_FAILED'],
    ['a page', () => answer('<html>', { 'content-type': 'text/html' }), 'ERR_BLOCKED'],
  ])('that ends with %s is one request for 100 clients, and each is told', async (_, reply, code) => {
    const streaming = originOf(reply);
    const { open, blobs, tarballs } = sceneOf({ streaming, dist: distFor(BYTES) });
    const codes = await Promise.all(Array.from({ length: 100 }, () => codeOf(open)));
    expect(new Set(codes)).toEqual(new Set([code]));
    expect(streaming.requests).toHaveLength(1);
    expect(await blobs()).toBe(0);
    // Trouble is not kept: the next one asks again.
    expect(await codeOf(open)).toBe(code);
    expect(streaming.requests).toHaveLength(2);
    expect(tarballs.stats()).toMatchObject({ failed: 2, inFlight: 0 });
  });

  it.each([404, 410, 451])('that ends with %i is one request, a miss for all, and is not kept', async (status) => {
    const streaming = originOf(() => answer('{}', {}, status));
    const { open, tarballs } = sceneOf({ streaming, dist: distFor(BYTES) });
    expect(await Promise.all(Array.from({ length: 100 }, open))).toEqual(Array.from({ length: 100 }));
    expect(streaming.requests).toHaveLength(1);
    expect(await open()).toBeUndefined();
    expect(streaming.requests).toHaveLength(2);
    expect(tarballs.stats()).toMatchObject({ absent: 2, failed: 0 });
  });

  it('that is cut is cut for every client, and nothing of it is kept', async () => {
    const body = new ScriptedBody().push(BYTES.subarray(0, 1_000), BYTES.subarray(1_000, 2_000));
    const streaming = originOf(answer(body), answer(BYTES));
    const { open, blobs } = sceneOf({ streaming, dist: distFor(BYTES) });
    const transfers = (await Promise.all([open(), open(), open()])).map(transfer);
    await settle();
    body.break(new HttpError('ERR_FETCH_FAILED', 'reset'));
    for (const { bytes, error } of await Promise.all(transfers)) {
      expect(error).toMatchObject({ code: 'ERR_FETCH_FAILED' });
      expect(bytes.length).toBeLessThan(2_000);
    }
    expect(await blobs()).toBe(0);
    expect((await bytesOf((await open())?.stream())).equals(BYTES)).toBe(true);
  });

  it('that ends before its announced length is cut, whatever the document says', async () => {
    const short = answer(new ScriptedBody().push(BYTES.subarray(0, 2_999)).end(), { 'content-length': '3000' });
    const { open, blobs } = sceneOf({ streaming: originOf(short), dist: distFor(BYTES, { integrity: undefined }) });
    expect((await transfer(await open())).error).toMatchObject({ code: 'ERR_FETCH_FAILED' });
    expect(await blobs()).toBe(0);
  });
});

describe('several processes on one store', () => {
  const clock = {
    now: Date.now,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        const timer = setTimeout(resolve, Math.min(ms, 5));
        signal?.addEventListener('abort', () => {
          clearTimeout(timer);
          reject(signal.reason);
        });
      }),
  };

  it('make one request for 100 clients, and each process serves its own', async () => {
    const body = new ScriptedBody();
    const streaming = originOf(answer(body));
    const { env } = sceneOf({ streaming });
    const fleet = Array.from({ length: 4 }, (_, i) => {
      const flight = createLeaseFlight({ ordered: env.ordered, clock, owner: `process ${i}` });
      return sceneOf({ streaming, dist: distFor(BYTES), env: { ...env, flight } });
    });
    const clients = Array.from({ length: 100 }, async (_, i) => transfer(await fleet[i % 4]?.open()));
    await settle();
    body.push(BYTES.subarray(0, 10), BYTES.subarray(10)).end();
    for (const { bytes, error } of await Promise.all(clients)) {
      expect(error).toBeUndefined();
      expect(bytes.equals(BYTES)).toBe(true);
    }
    expect(streaming.requests).toHaveLength(1);
    expect(fleet.map(({ tarballs }) => tarballs.stats().inFlight)).toEqual([0, 0, 0, 0]);
  });

  it('each hear of trouble', async () => {
    const streaming = originOf(new HttpError('ERR_TIMEOUT', 'silence'));
    const { env } = sceneOf({ streaming });
    const fleet = Array.from({ length: 3 }, (_, i) => {
      const flight = createLeaseFlight({ ordered: env.ordered, clock, owner: `process ${i}` });
      return sceneOf({ streaming, dist: distFor(BYTES), env: { ...env, flight } });
    });
    const codes = await Promise.all(Array.from({ length: 30 }, (_, i) => codeOf(async () => fleet[i % 3]?.open())));
    expect(new Set(codes)).toEqual(new Set(['ERR_TIMEOUT']));
    expect(streaming.requests.length).toBeLessThanOrEqual(3);
  });
});

describe('a tarball whose download has landed while its lease is not given back yet', () => {
  it.each([
    ['the origin did not have', answer('{}', {}, 404), undefined],
    ['came damaged', answer('something else'), BYTES],
  ])('is asked for anew where %s it: nobody waits for what is over', async (_what, first, expected) => {
    const lease = Promise.withResolvers<void>();
    const shared = createSingleFlight();
    const flight: SingleFlight = (key, work) =>
      shared(key, async () => {
        const result = await work();
        await lease.promise;
        return result;
      });
    const streaming = originOf(first, () => (expected ? answer(expected) : answer('{}', {}, 404)));
    const { open } = sceneOf({ streaming, dist: distFor(BYTES), env: { flight } });
    await transfer(await open());
    await settle();
    const again = open();
    await settle();
    lease.resolve();
    const tarball = await again;
    expect(tarball && (await transfer(tarball)).bytes).toEqual(expected);
  });
});

describe('a tarball that is not what its document says', () => {
  const flipped = Buffer.from(BYTES);
  flipped[1_500] = (flipped[1_500] as number) ^ 1;
  const inPieces = (bytes: Buffer) =>
    answer(
      new ScriptedBody().push(bytes.subarray(0, 1_000), bytes.subarray(1_000, 2_999), bytes.subarray(2_999)).end(),
      {
        'content-length': String(bytes.length),
      },
    );

  it('is cut for every client before its last byte, and fetched once again past all caches', async () => {
    const streaming = originOf(inPieces(flipped), answer(BYTES));
    const { open, blobs, tarballs, logged } = sceneOf({ streaming, dist: distFor(BYTES) });
    const tarballsOfAll = await Promise.all(Array.from({ length: 20 }, open));
    for (const { bytes, error } of await Promise.all(tarballsOfAll.map(transfer))) {
      expect(error).toMatchObject({ code: 'ERR_INTEGRITY' });
      expect(bytes.length).toBeLessThan(3_000);
    }
    await settle();
    expect(streaming.requests).toHaveLength(2);
    expect(streaming.requests[1]?.headers).toMatchObject({ 'cache-control': 'no-cache' });
    expect(await blobs()).toBe(1);
    expect((await bytesOf((await open())?.stream())).equals(BYTES)).toBe(true);
    expect(streaming.requests).toHaveLength(2);
    expect(tarballs.stats()).toMatchObject({ mismatched: 1, fetched: 2, hits: 1, failed: 0 });
    expect(logged).toHaveLength(1);
  });

  it('in one piece gives the client nothing at all', async () => {
    const { open } = sceneOf({ streaming: originOf(answer(flipped)), dist: distFor(BYTES) });
    expect((await transfer(await open())).bytes.length).toBe(0);
  });

  it('a second time is not fetched a third time behind, and never kept', async () => {
    const streaming = originOf(() => inPieces(flipped));
    const { open, blobs, tarballs } = sceneOf({ streaming, dist: distFor(BYTES) });
    expect((await transfer(await open())).error).toMatchObject({ code: 'ERR_INTEGRITY' });
    await settle();
    expect(streaming.requests).toHaveLength(2);
    expect(await blobs()).toBe(0);
    expect(tarballs.stats()).toMatchObject({ mismatched: 2, inFlight: 0 });
  });

  it('does not mix with the second fetch: who comes then gets that one', async () => {
    const second = new ScriptedBody();
    const streaming = originOf(inPieces(flipped), answer(second));
    const { open } = sceneOf({ streaming, dist: distFor(BYTES) });
    expect((await transfer(await open())).error).toMatchObject({ code: 'ERR_INTEGRITY' });
    await settle();
    const joined = transfer(await open());
    second.push(BYTES).end();
    expect((await joined).bytes.equals(BYTES)).toBe(true);
    expect(streaming.requests).toHaveLength(2);
  });

  it('cannot be checked at all: it is not served', async () => {
    const { open, blobs } = sceneOf({
      streaming: originOf(() => answer(BYTES)),
      dist: distFor(BYTES, { integrity: 'md5-abc=' }),
    });
    expect(await codeOf(open)).toBe('ERR_INTEGRITY');
    await settle();
    expect(await blobs()).toBe(0);
  });
});

describe('readers', () => {
  const PIECE = 100_000;
  const large = Buffer.from(noise(40 * PIECE, 3));
  const piecesOf = (bytes: Buffer, length = PIECE) =>
    Array.from({ length: Math.ceil(bytes.length / length) }, (_, i) => bytes.subarray(i * length, (i + 1) * length));

  it('that are slow get all of it from the store, and hold up nobody, in bounded memory', async () => {
    const body = new ScriptedBody();
    const { open, tarballs } = sceneOf({
      streaming: originOf(answer(body)),
      dist: distFor(large),
      windowBytes: 5 * PIECE,
    });
    const [slow, fast] = await Promise.all([open(), open()]);
    const reader = slow?.stream().getReader();
    const quick = transfer(fast);
    const pieces: Uint8Array[] = [];
    let most = 0;
    for (const [i, piece] of piecesOf(large).entries()) {
      body.push(piece);
      await settle();
      most = Math.max(most, tarballs.stats().heldBytes);
      if (i === 3) pieces.push((await reader?.read())?.value ?? new Uint8Array());
    }
    body.end();
    expect((await quick).bytes.equals(large)).toBe(true);
    expect(most).toBeLessThanOrEqual(5 * PIECE);
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true };
      if (done) break;
      if (value) pieces.push(value);
    }
    expect(Buffer.concat(pieces).equals(large)).toBe(true);
    expect(tarballs.stats().heldBytes).toBe(0);
  });

  it('follow live: what has come is theirs, but for the newest piece', async () => {
    const body = new ScriptedBody().push('one', 'two');
    const { open } = sceneOf({ streaming: originOf(answer(body)), dist: distFor('onetwothree') });
    const reader = (await open())?.stream().getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('one');
    const next = reader?.read();
    expect(await Promise.race([next, settle().then(() => 'nothing yet')])).toBe('nothing yet');
    body.push('three');
    expect(Buffer.from((await next)?.value ?? []).toString()).toBe('two');
    const last = reader?.read();
    expect(await Promise.race([last, settle().then(() => 'nothing yet')])).toBe('nothing yet');
    body.end();
    expect(Buffer.from((await last)?.value ?? []).toString()).toBe('three');
    expect((await reader?.read())?.done).toBe(true);
  });

  it('of any speed get any range exactly, whatever the pieces and the window', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 25 }),
        fc.integer({ min: 1, max: 3_000 }),
        fc.array(fc.record({ turns: fc.nat(30), from: fc.nat(), to: fc.nat(), whole: fc.boolean() }), { maxLength: 6 }),
        async (pieces, windowBytes, readers) => {
          const whole = Buffer.concat(pieces);
          const body = new ScriptedBody();
          const { open } = sceneOf({ streaming: originOf(answer(body)), dist: distFor(whole), windowBytes });
          const reading = readers.map(async ({ turns, from, to, whole: all }) => {
            const tarball = await open();
            const [start = 0, end = 0] = [from % (whole.length + 1), to % (whole.length + 1)].sort((a, b) => a - b);
            const got: Uint8Array[] = [];
            for await (const piece of tarball?.stream(all ? undefined : { start, end }) ?? []) {
              got.push(piece);
              for (let i = 0; i < turns; i++) await Promise.resolve();
            }
            expect(Buffer.concat(got).equals(all ? whole : whole.subarray(start, end))).toBe(true);
          });
          for (const piece of pieces) {
            body.push(piece);
            await Promise.resolve();
          }
          body.end();
          await Promise.all(reading);
        },
      ),
      { seed: 7, numRuns: 150 },
    );
  });

  it('of a range of what is kept get just that', async () => {
    const { open } = sceneOf({
      streaming: originOf(answer(new ScriptedBody().push(...piecesOf(large)).end())),
      dist: distFor(large),
    });
    await bytesOf((await open())?.stream());
    const kept = await open();
    expect(kept?.bytes).toBeUndefined();
    expect((await bytesOf(kept?.stream({ start: 99_999, end: 300_001 }))).equals(large.subarray(99_999, 300_001))).toBe(
      true,
    );
    const small = sceneOf({ streaming: originOf(answer(BYTES)), dist: distFor(BYTES) });
    await bytesOf((await small.open())?.stream());
    expect((await bytesOf((await small.open())?.stream({ start: 5, end: 9 }))).equals(BYTES.subarray(5, 9))).toBe(true);
  });

  it('of a range of what is on its way get it when all was found to be right; all of it is fetched and kept', async () => {
    const body = new ScriptedBody().push(BYTES.subarray(0, 1_000), BYTES.subarray(1_000, 2_000));
    const streaming = originOf(answer(body));
    const { open, blobs } = sceneOf({ streaming, dist: distFor(BYTES) });
    const range = bytesOf((await open())?.stream({ start: 10, end: 20 }));
    await settle();
    expect(await Promise.race([range, settle().then(() => 'nothing yet')])).toBe('nothing yet');
    body.push(BYTES.subarray(2_000)).end();
    expect((await range).equals(BYTES.subarray(10, 20))).toBe(true);
    expect(streaming.requests[0]?.headers).not.toHaveProperty('range');
    await settle();
    expect(await blobs()).toBe(1);
  });

  it('of a range of what turns out to be wrong get nothing of it', async () => {
    const { open } = sceneOf({ streaming: originOf(answer('wrong bytes')), dist: distFor(BYTES) });
    expect(await codeOf(async () => bytesOf((await open())?.stream({ start: 0, end: 3 })))).toBe('ERR_INTEGRITY');
  });

  it('of nothing at all get nothing at all', async () => {
    const { open } = sceneOf({ streaming: originOf(answer('')), dist: distFor('') });
    expect((await bytesOf((await open())?.stream())).length).toBe(0);
    await settle();
    expect((await open())?.size).toBe(0);
  });
});

describe('a store in trouble', () => {
  const full = new CacheError('ERR_DISK_FULL', 'no room');
  const failing = (after: number) => {
    const backend = new MemoryBlobBackend();
    backend.write = async (_path, source) => {
      let length = 0;
      for await (const piece of source) {
        length += piece.length;
        if (length > after) throw full;
      }
      throw full;
    };
    return new Store({ backend, hashers });
  };

  it.each([0, 1_500, 3_000])('after %i bytes keeps nothing, and the clients get everything', async (after) => {
    const body = new ScriptedBody();
    const streaming = originOf(answer(body), () => answer(BYTES));
    const { open, tarballs, logged } = sceneOf({ streaming, dist: distFor(BYTES), env: { blobs: failing(after) } });
    const transfers = (await Promise.all([open(), open()])).map(transfer);
    for (let at = 0; at < 3_000; at += 500) body.push(BYTES.subarray(at, at + 500));
    body.end();
    for (const { bytes, error } of await Promise.all(transfers)) {
      expect(error).toBeUndefined();
      expect(bytes.equals(BYTES)).toBe(true);
    }
    await settle();
    expect(tarballs.stats()).toMatchObject({ unkept: 1, failed: 0 });
    expect(logged).toHaveLength(1);
    expect((await transfer(await open())).bytes.equals(BYTES)).toBe(true);
    expect(streaming.requests).toHaveLength(2);
  });

  it('still lets nothing wrong pass', async () => {
    const { open } = sceneOf({
      streaming: originOf(() => answer('wrong')),
      dist: distFor(BYTES),
      env: { blobs: failing(0) },
    });
    expect((await transfer(await open())).error).toMatchObject({ code: 'ERR_INTEGRITY' });
  });

  it('tells a reader that fell behind, whom nobody can serve any more', async () => {
    const body = new ScriptedBody();
    const { open } = sceneOf({
      streaming: originOf(answer(body)),
      dist: distFor(BYTES),
      env: { blobs: failing(0) },
      windowBytes: 1_000,
    });
    const slow = await open();
    for (let at = 0; at < 3_000; at += 500) body.push(BYTES.subarray(at, at + 500));
    body.end();
    await settle();
    expect((await transfer(slow)).error).toBe(full);
  });

  it('that cannot write its rows is the same: served, not kept, counted', async () => {
    const ordered = new MemoryOrderedStore();
    ordered.commit = async () => {
      throw full;
    };
    const { open, tarballs } = sceneOf({ streaming: originOf(answer(BYTES)), dist: distFor(BYTES), env: { ordered } });
    expect((await transfer(await open())).bytes.equals(BYTES)).toBe(true);
    await settle();
    expect(tarballs.stats().unkept).toBe(1);
  });

  it('that cannot be read is passed by, and the origin asked', async () => {
    const backend = new MemoryBlobBackend();
    const streaming = originOf(() => answer(BYTES));
    const { open, tarballs } = sceneOf({
      streaming,
      dist: distFor(BYTES),
      env: { blobs: new Store({ backend, hashers }) },
    });
    await bytesOf((await open())?.stream());
    await settle();
    backend.stat = async () => {
      throw new CacheError('ERR_STORAGE_READ', 'disk on fire');
    };
    expect((await transfer(await open())).bytes.equals(BYTES)).toBe(true);
    expect(tarballs.stats().lost).toBeGreaterThan(0);
  });

  it.each([
    ['was lost', async (backend: MemoryBlobBackend, path: string) => backend.delete(path)],
    [
      'was damaged',
      async (backend: MemoryBlobBackend, path: string) => {
        const wrong = new ScriptedBody().push(noise(3_000, 9)).end();
        await backend.write(path, wrong);
      },
    ],
  ])('whose blob %s fetches it again within the same request', async (_, harm) => {
    const streaming = originOf(() => answer(BYTES));
    const { open, backend, tarballs } = sceneOf({ streaming, dist: distFor(BYTES) });
    await bytesOf((await open())?.stream());
    const [path = ''] = await collect(backend.list(''));
    await harm(backend, path);
    expect((await bytesOf((await open())?.stream())).equals(BYTES)).toBe(true);
    expect(streaming.requests).toHaveLength(2);
    expect((await open())?.bytes?.length).toBe(3_000);
    expect(streaming.requests).toHaveLength(2);
    expect(tarballs.stats().lost).toBeGreaterThan(0);
  });
});

describe('keep', () => {
  it('fetches what is not held, and pins it', async () => {
    const streaming = originOf(answer(BYTES));
    const { tarballs } = sceneOf({ streaming, dist: distFor(BYTES) });
    const kept = await tarballs.keep('a', FILE, { pin: true });
    expect(kept).toMatchObject({ size: 3_000 });
    const row = await tarballs.index.get(tarballs.keyOf('a', FILE));
    expect(row).toMatchObject({ pinned: true, blob: kept?.hash.id, integrity: sri(BYTES) });
    expect(await tarballs.index.blob(kept?.hash as never)).toMatchObject({ refs: 1, pinned: 1 });
    await tarballs.keep('a', FILE, { pin: true });
    expect(await tarballs.index.blob(kept?.hash as never)).toMatchObject({ refs: 1, pinned: 1 });
    expect(streaming.requests).toHaveLength(1);
  });

  it('pins what was pulled through, and never unpins', async () => {
    const { tarballs, open } = sceneOf({ streaming: originOf(answer(BYTES)), dist: distFor(BYTES) });
    await bytesOf((await open())?.stream());
    await tarballs.keep('a', FILE, { pin: true });
    await tarballs.keep('a', FILE);
    expect(await tarballs.index.get(tarballs.keyOf('a', FILE))).toMatchObject({ pinned: true });
  });

  it('says what kept it from keeping', async () => {
    const wrong = sceneOf({ streaming: originOf(() => answer('x')), dist: distFor(BYTES) });
    expect(await codeOf(() => wrong.tarballs.keep('a', FILE))).toBe('ERR_INTEGRITY');
    const absent = sceneOf({ streaming: originOf(() => answer('', {}, 404)), dist: distFor(BYTES) });
    expect(await absent.tarballs.keep('a', FILE)).toBeUndefined();
    expect(await absent.tarballs.keep('b', FILE)).toBeUndefined();
    const ordered = new MemoryOrderedStore();
    ordered.commit = async () => {
      throw new CacheError('ERR_DISK_FULL', 'no room');
    };
    const full = sceneOf({ streaming: originOf(() => answer(BYTES)), dist: distFor(BYTES), env: { ordered } });
    expect(await codeOf(() => full.tarballs.keep('a', FILE))).toBe('ERR_DISK_FULL');
  });
});

describe('offline', () => {
  it('serves what is held, and asks nobody for the rest, which it lists once', async () => {
    const online = sceneOf({ streaming: originOf(answer(BYTES)), dist: distFor(BYTES) });
    await bytesOf((await online.open())?.stream());
    await settle();
    const streaming = originOf();
    const offline = sceneOf({ streaming, dist: distFor(BYTES), env: online.env, offline: true });
    expect((await bytesOf((await offline.open())?.stream())).equals(BYTES)).toBe(true);

    const empty = sceneOf({ streaming, dist: distFor(BYTES), offline: true });
    for (let i = 0; i < 3; i++) expect(await codeOf(empty.open)).toBe('ERR_OFFLINE');
    expect(await codeOf(() => empty.tarballs.keep('a', FILE))).toBe('ERR_OFFLINE');
    expect([...empty.tarballs.missing]).toEqual([`a/-/${FILE}`]);
    expect(empty.logged).toHaveLength(1);
    expect(streaming.requests).toEqual([]);
  });
});

it('random clients, origins and troubles never make a wrong whole, and leave nothing in the air', async () => {
  const next = randomFrom(17);
  for (let round = 0; round < 60; round++) {
    const bytes = Buffer.from(noise(1 + Math.floor(next() * 5_000), round));
    const streaming = originOf(() => {
      const wrong = Buffer.from(bytes);
      const kind = next();
      if (kind < 0.15) throw new HttpError('ERR_FETCH_FAILED', 'refused');
      if (kind < 0.35) wrong.fill(255 ^ (wrong[0] ?? 0), 0, 1);
      const body = new ScriptedBody();
      for (let at = 0; at < wrong.length; at += 500) body.push(wrong.subarray(at, at + 500));
      if (kind > 0.85) return answer(body.break(new HttpError('ERR_FETCH_FAILED', 'cut')));
      return answer(body.end());
    });
    const { open, tarballs, env } = sceneOf({ streaming, dist: distFor(bytes), windowBytes: 1_000 });
    const clients = Array.from({ length: 6 }, async () => {
      for (let i = next() * 20; i > 0; i--) await Promise.resolve();
      const tarball = await open().catch(() => undefined);
      const { bytes: got, error } = await transfer(tarball);
      if (tarball && !error) expect(got.equals(bytes)).toBe(true);
      else expect(got.length).toBeLessThan(bytes.length);
    });
    await Promise.all(clients);
    await settle();
    expect(tarballs.stats()).toMatchObject({ inFlight: 0, heldBytes: 0 });
    for await (const hash of env.blobs.list()) expect(`${hash}`).toHaveLength(64);
  }
});
