import { R2BlobBackend, R2StorageDriver } from '@_all_docs/worker-cloudflare';
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { codeOf, collect, joined, noise, sameBytes, utf8 } from '../../../test/contract/_bytes.ts';

const bucket = env.BLOBS;

describe('R2StorageDriver', () => {
  const driver = new R2StorageDriver(bucket);
  const entry = (text: string, etag: string) => ({
    body: utf8(text),
    metadata: { storedAt: 1, encoding: 'identity' as const, size: 0, etag },
  });

  it('a touch never undoes a write that came between its reading and its writing', async () => {
    await driver.write('limits:race', entry('old', 'old'));
    const slow = new Proxy(bucket, {
      get: (target, name) =>
        name === 'put'
          ? async (...args: Parameters<R2Bucket['put']>) => {
              await driver.write('limits:race', entry('new', 'new'));
              return target.put(...args);
            }
          : // biome-ignore lint/suspicious/noExplicitAny: whatever the method is
            (target as any)[name].bind(target),
    });
    await new R2StorageDriver(slow).touch('limits:race', { storedAt: 9 });
    expect((await driver.read('limits:race'))?.metadata).toMatchObject({ etag: 'new', storedAt: 1 });
  });

  it('what somebody else put there, or damaged bytes, are ERR_CORRUPT', async () => {
    await bucket.put('limits:foreign', 'x');
    for (const ask of [() => driver.read('limits:foreign'), () => driver.head('limits:foreign')]) {
      expect(await codeOf(ask)).toBe('ERR_CORRUPT');
    }
    await driver.write('limits:damaged', entry('right', 'e'));
    const { customMetadata = {} } = (await bucket.head('limits:damaged')) ?? {};
    await bucket.put('limits:damaged', 'wrong', { customMetadata });
    expect(await codeOf(() => driver.read('limits:damaged'))).toBe('ERR_CORRUPT');
  });

  it('metadata beyond the 2 KB of R2 is refused with a code', async () => {
    expect(await codeOf(() => driver.write('limits:metadata', entry('x', 'e'.repeat(9_000))))).toBe(
      'ERR_STORAGE_WRITE',
    );
  });
});

describe('R2BlobBackend', () => {
  const backend = new R2BlobBackend(bucket);
  async function* once(bytes: Uint8Array) {
    yield bytes;
  }

  it('a large blob whose name follows from its bytes leaves nothing under another one', async () => {
    const bytes = noise(20 * 1024 * 1024, 2);
    await backend.write(() => 'blobs/na/med-last', once(bytes));
    expect(
      sameBytes(joined(await collect((await backend.read('blobs/na/med-last')) ?? once(new Uint8Array()))), bytes),
    ).toBe(true);
    const refuse = () => {
      throw new Error('not what it should be');
    };
    await expect(backend.write(refuse, once(bytes))).rejects.toThrow('not what it should be');
    expect(await collect(backend.list('tmp/'))).toEqual([]);
  });

  it('R2 compares a small blob with the digest that the caller knows, and keeps no other', async () => {
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-512', utf8('right')));
    const sha512 = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
    await backend.write('blobs/ch/ecked', once(utf8('right')), { sha512 });
    expect(await codeOf(() => backend.write('blobs/ch/other', once(utf8('wrong')), { sha512 }))).toBe(
      'ERR_STORAGE_WRITE',
    );
    expect(await collect(backend.list('blobs/ch/'))).toEqual(['blobs/ch/ecked']);
  });

  it('sweeps away what was left under a temporary name, once it is old', async () => {
    await bucket.put('tmp/left', 'x');
    await backend.sweep(Date.now() - 3_600_000);
    expect(await collect(backend.list('tmp/'))).toEqual(['tmp/left']);
    await backend.sweep(Date.now() + 1);
    expect(await collect(backend.list('tmp/'))).toEqual([]);
  });
});
