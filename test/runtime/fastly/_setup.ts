/** @module What the service needs and does not have, and what its engine does otherwise: run inside of it. */
import { createBackends } from '../../../workers/fastly/src/backends.ts';
import { hostCodec } from '../../../workers/fastly/src/codec.ts';
import { ConfigStoreReader } from '../../../workers/fastly/src/config-reader.ts';
import { hostHashers } from '../../../workers/fastly/src/hashers.ts';
import { FastlyStorageDriver } from '../../../workers/fastly/src/kv-driver.ts';
import { readSettings } from '../../../workers/fastly/src/settings.ts';
import { openConfigStore, openKvStore, readSecret } from '../../../workers/fastly/src/stores.ts';
import { codeOf, gzipped } from '../../contract/_bytes.ts';
import { describe, expect, it } from './_runner.ts';

const REGISTRY = 'https://registry.example.test';

const settingsOf = (items: Record<string, string>) =>
  readSettings(new ConfigStoreReader({ get: (key) => items[key] ?? null }));

/** The code of the error, and whether its message has all of these words in it. */
async function trouble(work: () => unknown, ...words: string[]): Promise<[code: unknown, lacks: string[]]> {
  try {
    await work();
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return [code, words.filter((word) => !message.includes(word))];
  }
  return [undefined, words];
}

describe('what is missing is said by name, with the command that creates it', () => {
  it('a KV Store', async () => {
    expect(await trouble(() => openKvStore('missing'), 'missing', 'fastly kv-store create')).toEqual([
      'ERR_NO_STORE',
      [],
    ]);
  });

  it('a Config Store', async () => {
    expect(await trouble(() => openConfigStore('missing'), 'missing', 'fastly config-store create')).toEqual([
      'ERR_NO_STORE',
      [],
    ]);
  });

  it('a Secret Store', async () => {
    expect(await trouble(() => readSecret('x', 'missing'), 'missing', 'fastly secret-store create')).toEqual([
      'ERR_NO_STORE',
      [],
    ]);
  });

  it('a secret', async () => {
    expect(await trouble(() => readSecret('nothing'), 'nothing', 'fastly secret-store-entry create')).toEqual([
      'ERR_NO_SECRET',
      [],
    ]);
    expect(await readSecret('work_token')).toBe('secret');
  });

  it('a backend that is named', async () => {
    const make = () => createBackends({ named: { [REGISTRY]: 'missing' }, dynamic: false });
    expect(await trouble(make, 'missing', 'fastly backend create', 'registry.example.test')).toEqual([
      'ERR_NO_BACKEND',
      [],
    ]);
  });

  it('a backend for a host that nobody named, unless backends are made as they are needed', async () => {
    const named = { 'http://named.example.test': 'registry' };
    const backendFor = createBackends({ named, dynamic: false });
    expect(backendFor('http://NAMED.example.test/a')).toBe('registry');
    expect(await trouble(() => backendFor(`${REGISTRY}/x`), 'registry.example.test', 'dynamic_backends')).toEqual([
      'ERR_NO_BACKEND',
      [],
    ]);
    const dynamic = createBackends({ named, dynamic: true });
    expect(String(dynamic(`${REGISTRY}/x`))).toBe(String(dynamic(`${REGISTRY}/y`)));
  });

  it('an item of the settings', async () => {
    expect(await trouble(() => settingsOf({}), 'registry', 'fastly config-store-entry')).toEqual([
      'ERR_BAD_SETTING',
      [],
    ]);
    expect(settingsOf({ registry: `${REGISTRY}/` }).registry).toBe(REGISTRY);
  });
});

describe('settings that cannot be are refused by name', () => {
  it.each([
    ['registry', 'registry.example.test'],
    ['registry', 'ftp://registry.example.test'],
    ['origin', 'https://'],
    ['public_url', 'https://a b'],
    ['max_age_seconds', '5m'],
    ['max_age_seconds', '-1'],
    ['tarball_host', 'mine'],
    ['dynamic_backends', 'yes'],
  ])('%s: %s', async (item, value) => {
    expect(await trouble(() => settingsOf({ registry: REGISTRY, [item]: value }), item)).toEqual([
      'ERR_BAD_SETTING',
      [],
    ]);
  });
});

describe('the codec of the engine', () => {
  it('takes no gzip that was cut for a whole body, which the engine does', async () => {
    const packed = await gzipped('{"a":1}'.repeat(10_000));
    expect((await hostCodec.decode(packed, 'gzip')).length).toBe(70_000);
    for (const end of [packed.length - 1, packed.length - 9, 100, 10, 0]) {
      const cut = packed.subarray(0, end);
      expect([end, await codeOf(() => hostCodec.decode(cut, 'gzip'))]).toEqual([end, 'ERR_ENCODING']);
      const pieces = async () => {
        for await (const _ of hostCodec.decodeStream(cut, 'gzip')) {
        }
      };
      expect([end, await codeOf(pieces)]).toEqual([end, 'ERR_ENCODING']);
    }
  });

  it('gives no more than is allowed', async () => {
    const packed = await gzipped('a'.repeat(100_000));
    expect(await codeOf(() => hostCodec.decode(packed, 'gzip', 99_999))).toBe('ERR_TOO_LARGE');
    expect((await hostCodec.decode(packed, 'gzip', 100_000)).length).toBe(100_000);
  });

  it('gives back what it packed', async () => {
    const plain = new TextEncoder().encode('{"é":1}');
    expect(await hostCodec.decode(await hostCodec.gzip(plain), 'gzip')).toEqual(plain);
  });

  it.each(['br', 'zstd'] as const)('says of %s that it cannot', async (encoding) => {
    expect(await codeOf(() => hostCodec.decode(new Uint8Array(20), encoding))).toBe('ERR_ENCODING');
  });
});

describe('the hashers of the engine', () => {
  it('give the digest of all pieces, and refuse what does not fit into a sandbox', async () => {
    const hasher = await hostHashers.create('sha1');
    for (const piece of ['a', 'bc']) await hasher.update(new TextEncoder().encode(piece));
    const digest = await hasher.digest();
    expect([...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')).toBe(
      'a9993e364706816aba3e25717850c26c9cd0d89d',
    );
    const large = await hostHashers.create('sha512');
    expect(await codeOf(() => large.update(new Uint8Array(41 * 1024 * 1024)))).toBe('ERR_BLOB_TOO_LARGE');
    expect(await codeOf(() => hostHashers.create('blake3'))).toBe('ERR_BAD_HASH');
  });
});

describe('FastlyStorageDriver', () => {
  const entry = (text: string, expiresAt?: number) => {
    const body = new TextEncoder().encode(text);
    return { body, metadata: { storedAt: 1, encoding: 'identity', size: body.length, expiresAt } as const };
  };

  it('adds an entry where there is none, and tells whether there was', async () => {
    const driver = new FastlyStorageDriver(openKvStore('all_docs'));
    expect(await driver.add('add:it', entry('first'))).toBe(true);
    expect(await driver.add('add:it', entry('second'))).toBe(false);
    expect(new TextDecoder().decode((await driver.read('add:it'))?.body)).toBe('first');
  });

  it('lets go of an entry that has expired', async () => {
    const driver = new FastlyStorageDriver(openKvStore('all_docs'));
    const soon = Date.now() + 1_000;
    await driver.write('expiring', entry('for a second', soon));
    expect((await driver.head('expiring'))?.expiresAt).toBe(soon);
    for (;;) {
      if (Date.now() > soon + 1_500 || !(await driver.has('expiring'))) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(await driver.read('expiring')).toBeUndefined();
  });

  it('refuses metadata that KV does not take', async () => {
    const driver = new FastlyStorageDriver(openKvStore('all_docs'));
    const long = { ...entry('x'), metadata: { ...entry('x').metadata, etag: 'e'.repeat(1_000) } };
    expect(await codeOf(() => driver.write('long', long))).toBe('ERR_VALUE_TOO_LARGE');
  });

  it('takes what somebody else stored for damaged, not for a miss', async () => {
    const store = openKvStore('all_docs');
    await store.put('foreign', new Uint8Array(3));
    const driver = new FastlyStorageDriver(store);
    for (const work of [() => driver.read('foreign'), () => driver.head('foreign'), () => driver.open('foreign')])
      expect(await codeOf(work)).toBe('ERR_CORRUPT');
  });
});
