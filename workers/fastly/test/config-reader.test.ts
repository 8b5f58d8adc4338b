import type { StorageDriver, StorageEnv } from '@_all_docs/cache';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';
import { ConfigStoreReader } from '../src/config-reader.ts';

const reader = new ConfigStoreReader(
  new Map([
    ['registry', 'https://registry.example.test'],
    ['list', '["a","é"]'],
  ]) as unknown as { get(key: string): string | null },
);

describe('a Config Store as a reader', () => {
  it('gives its items as entries, and their JSON', async () => {
    const entry = await reader.read('list');
    expect(new TextDecoder().decode(entry?.body)).toBe('["a","é"]');
    expect(entry?.metadata).toMatchObject({
      encoding: 'identity',
      size: 10,
      digest: expect.stringMatching(/^sha256-/),
    });
    expect(await reader.head('list')).toEqual(entry?.metadata);
    expect(reader.get('list')).toEqual(['a', 'é']);
    expect(reader.text('registry')).toBe('https://registry.example.test');
  });

  it('misses with undefined', async () => {
    expect(await reader.read('nothing')).toBeUndefined();
    expect(await reader.head('nothing')).toBeUndefined();
    expect(reader.get('nothing')).toBeUndefined();
  });

  it('refuses keys that no Config Store has, and what is not JSON, by code', async () => {
    expect(await codeOf(() => reader.read('k'.repeat(256)))).toBe('ERR_KEY_TOO_LONG');
    expect(await codeOf(() => reader.read(''))).toBe('ERR_BAD_KEY');
    expect(await codeOf(() => reader.get('registry'))).toBe('ERR_CORRUPT');
  });

  it('does not compile where something is to be written', () => {
    // @ts-expect-error A reader is no driver.
    const driver: StorageDriver = reader;
    // @ts-expect-error Nor can an environment be made of it.
    const env: StorageEnv = { storage: reader };
    // @ts-expect-error There is nothing to write with.
    expect(reader.write).toBeUndefined();
    expect([driver, env.storage]).toEqual([reader, reader]);
  });
});
