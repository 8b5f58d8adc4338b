import { type Dist, type Tarball, Tarballs } from '@_all_docs/registry';
import { createEnv, type NodeEnv } from '@_all_docs/worker-node';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { codeOf, collect } from '../../../test/contract/_bytes.ts';
import { type FakeOrigin, type FaultRule, startFakeOrigin } from '../../../test/fake-origin/index.ts';
import { temporaryDirectory } from './_directory.ts';

interface Packument {
  versions: Record<string, { dist: Dist }>;
}

const NAME = '@a/b';
let fake: FakeOrigin;
let env: NodeEnv;
let tarballs: Tarballs;
let file: string;
let dist: Dist;

beforeEach(async () => {
  fake = await startFakeOrigin({ packages: 100, seed: 5, sizes: 'small', tarballBytes: 600_000, latencyMs: 20 });
  const cache = join(await temporaryDirectory(), 'cache');
  env = await createEnv({ cache, registry: fake.url, origin: fake.url, rate: Number.POSITIVE_INFINITY });
  const { versions } = fake.packument(NAME) as unknown as Packument;
  dist = Object.values(versions).map((manifest) => manifest.dist)[0] as Dist;
  file = dist.tarball.split('/').pop() as string;
  const distOf = async () => dist;
  tarballs = new Tarballs({ env: { ...env, ordered: env.storage.ordered }, distOf });
});
afterEach(async () => {
  await env.close();
  await fake.close();
});

const open = () => tarballs.open(NAME, file);
const faults = (...rules: FaultRule[]) => fake.setFaults(rules.map((rule) => ({ kinds: ['tarball'], ...rule })));
/** The integrity of what was transferred whole; the error's code of a transfer that was cut. */
async function transfer(tarball: Tarball | undefined): Promise<string> {
  const hash = createHash('sha512');
  try {
    for await (const piece of tarball?.stream() ?? []) hash.update(piece);
    return `sha512-${hash.digest('base64')}`;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('over real sockets, a tarball', () => {
  it('is one request for 100 clients at once, and none later', async () => {
    const all = await Promise.all(Array.from({ length: 100 }, async () => transfer(await open())));
    expect(new Set(all)).toEqual(new Set([dist.integrity]));
    expect(fake.stats().byKind.tarball).toBe(1);
    expect(await transfer(await open())).toBe(dist.integrity);
    expect(fake.stats().byKind.tarball).toBe(1);
    await vi.waitFor(async () => expect((await collect(env.blobs.list())).length).toBe(1));
    expect(env.governor.state.inFlight).toBe(0);
  });

  it('announces the length of the origin', async () => {
    const cold = await open();
    const size = cold?.size;
    await transfer(cold);
    expect((await open())?.size).toBe(size);
  });

  it('with flipped bytes is cut for all, kept by none, and right the next time', async () => {
    faults({ fault: 'corrupt-gzip', times: 1 });
    const all = await Promise.all(Array.from({ length: 10 }, async () => transfer(await open())));
    expect(new Set(all)).toEqual(new Set(['ERR_INTEGRITY']));
    expect(await transfer(await open())).toBe(dist.integrity);
    expect(fake.stats().byKind.tarball).toBe(2);
    expect(tarballs.stats()).toMatchObject({ mismatched: 1, fetched: 2 });
  });

  it.each([
    [{ fault: 'whole-cut', times: 2 }, 'ERR_INTEGRITY'],
    [{ fault: 'cut-body', times: 1 }, 'ERR_FETCH_FAILED'],
    [{ fault: 'reset-body', times: 1 }, 'ERR_FETCH_FAILED'],
    [{ fault: 'wrong-length', by: 10, times: 1 }, 'ERR_FETCH_FAILED'],
    [{ fault: 'empty', times: 2 }, 'ERR_INTEGRITY'],
  ] satisfies [FaultRule, string][])('that ends too early is cut: %j', async (rule, code) => {
    faults(rule);
    expect(await transfer(await open())).toBe(code);
    expect(await collect(env.blobs.list())).toEqual([]);
  });

  it.each([
    { fault: '500', times: 2 },
    { fault: '502', times: 1 },
    { fault: 'reset', times: 2 },
    { fault: 'html-200', times: 1 },
  ] satisfies FaultRule[])('that the origin does not give at once is asked for again: %j', async (rule) => {
    faults(rule);
    expect(await transfer(await open())).toBe(dist.integrity);
  });

  it('that the origin does not have is none', async () => {
    faults({ fault: 'not-found' });
    expect(await open()).toBeUndefined();
    expect(fake.stats().byKind.tarball).toBe(1);
  });

  it('is not followed to another host, nor asked there', async () => {
    let asked = 0;
    const other = createServer((_, response) => {
      asked += 1;
      response.end('secret');
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const to = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    try {
      faults({ fault: 'redirect-host', to });
      expect(await codeOf(open)).toBe('ERR_FORBIDDEN_HOST');
      faults();
      dist = { ...dist, tarball: `${to}/a.tgz` };
      expect(await codeOf(open)).toBe('ERR_FORBIDDEN_HOST');
      expect(asked).toBe(0);
      expect(env.governor.state.inFlight).toBe(0);
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
  });

  it('that comes slowly is read while it comes, and survives its first reader', async () => {
    faults({ fault: 'drip', msPerChunk: 5, chunkBytes: 50_000 });
    const first = (await open())?.stream().getReader();
    expect((await first?.read())?.value?.length).toBeGreaterThan(0);
    await first?.cancel();
    expect(await transfer(await open())).toBe(dist.integrity);
    expect(fake.stats().byKind.tarball).toBe(1);
  });
});
