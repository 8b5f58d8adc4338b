import type { Answer } from '@_all_docs/registry';
import { beforeEach, describe, expect, it } from 'vitest';
import { TarballMemory } from '../src/server/tarball-memory.ts';

const TARGET = '/npm/a/-/a-1.0.0.tgz';
const KEPT = { etag: '"1"', 'cache-control': 'public, max-age=31536000, immutable' };

function tarball(bytes: number, headers: Record<string, string> = KEPT): Answer {
  return { status: 200, headers: Object.entries(headers).flat(), body: new Uint8Array(bytes) };
}

describe('tarballs in memory', () => {
  let now: number;
  let memory: TarballMemory;
  const get = (target = TARGET, headers: Record<string, string> = {}, method = 'GET') =>
    memory.get(method, target, (name) => headers[name]);
  const learnTwice = (target: string, answer: Answer) => {
    memory.learn(target, answer);
    memory.learn(target, answer);
  };
  beforeEach(() => {
    now = 5_000;
    memory = new TarballMemory(1_000_000, () => now);
  });

  it('are answered from the second time on, with the very same answer', () => {
    const answer = tarball(100);
    memory.learn(TARGET, answer);
    expect(get()).toBeUndefined();
    memory.learn(TARGET, answer);
    expect(get()).toEqual(answer);
    expect(get()?.body).toBe(answer.body);
  });

  it('are asked for again after a second, and relied on for another one then', () => {
    learnTwice(TARGET, tarball(100));
    now += 1_000;
    expect(get()).toBeDefined();
    now += 1;
    expect(get()).toBeUndefined();
    memory.learn(TARGET, tarball(100));
    expect(get()).toBeDefined();
  });

  it('are forgotten when the registry no longer has them', () => {
    learnTwice(TARGET, tarball(100));
    memory.learn(TARGET, { status: 404, headers: [], body: undefined });
    expect(get()).toBeUndefined();
  });

  it('that changed are answered as they are now', () => {
    learnTwice(TARGET, tarball(100));
    const changed = tarball(101, { ...KEPT, etag: '"2"' });
    memory.learn(TARGET, changed);
    expect(get()?.body).toBe(changed.body);
  });

  it('have no body for HEAD, are 304 for those who hold them, and leave ranges and other conditions to the registry', () => {
    learnTwice(TARGET, tarball(100));
    expect(get(TARGET, {}, 'HEAD')).toMatchObject({ status: 200, body: undefined });
    expect(get(TARGET, { 'if-none-match': '"1"' })).toEqual({
      status: 304,
      headers: Object.entries(KEPT).flat(),
      body: undefined,
    });
    expect(get(TARGET, { 'if-none-match': '"2"' })).toBeUndefined();
    expect(get(TARGET, { range: 'bytes=0-1' })).toBeUndefined();
    expect(get(TARGET, {}, 'PUT')).toBeUndefined();
  });

  it.each<[string, Answer]>([
    ['that may change', tarball(100, { etag: '"1"', 'cache-control': 'public, max-age=300' })],
    ['of which only a part was asked for', { ...tarball(100), status: 206 }],
    ['that stream', { ...tarball(100), body: new ReadableStream() }],
    ['that are large for the memory', tarball(100_000)],
  ])('are not kept: %s', (_, answer) => {
    learnTwice(TARGET, answer);
    expect(get()).toBeUndefined();
  });

  it('stay within the bytes that they may take; the least recently used goes first', () => {
    for (let n = 0; n < 100; n++) {
      learnTwice(`${TARGET}?${n}`, tarball(50_000));
      get(`${TARGET}?0`);
    }
    const kept = Array.from({ length: 100 }, (_, n) => n).filter((n) => get(`${TARGET}?${n}`));
    expect(kept[0]).toBe(0);
    expect(kept.slice(1)).toEqual(Array.from({ length: kept.length - 1 }, (_, n) => 101 - kept.length + n));
    expect(kept).toHaveLength(Math.floor(1_000_000 / 51_024));
  });

  it('that are asked for once leave no bytes behind', () => {
    for (let n = 0; n < 30_000; n++) memory.learn(`${TARGET}?${n}`, tarball(10));
    memory.learn(`${TARGET}?0`, tarball(10));
    expect(get(`${TARGET}?0`)).toBeUndefined();
  });
});
