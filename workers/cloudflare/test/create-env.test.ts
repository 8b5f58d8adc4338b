import { type Bindings, createEnv } from '@_all_docs/worker-cloudflare';
import { env } from 'cloudflare:workers';
import { expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';

const REGISTRY = 'https://registry.example.test/';

it('binds the core to what wrangler.jsonc names', async () => {
  const promises: Promise<unknown>[] = [];
  const made = createEnv({ ...env, REGISTRY }, { waitUntil: (promise) => promises.push(promise) });
  expect(made).toMatchObject({ origin: 'https://registry.example.test', registry: 'https://registry.example.test' });
  const storage = made.storage as Exclude<typeof made.storage, () => unknown>;
  await storage.set('env:a', { b: 1 });
  expect(await storage.get('env:a')).toEqual({ b: 1 });
  expect(await made.ordered?.commit([{ key: 'env', value: 'row' }])).toBe(true);
  expect(await made.ordered?.get('env')).toBe('row');
  expect(await made.queue?.size()).toEqual({ waiting: 0, leased: 0, dead: 0 });
  expect(await made.blobs.stat('blobs/no/ne')).toBeUndefined();
  made.waitUntil?.(Promise.resolve());
  expect(promises).toHaveLength(1);
});

it('hashes as bytes pass', async () => {
  const { hashers } = createEnv({ ...env, REGISTRY });
  for (const [algorithm, name] of [
    ['sha1', 'SHA-1'],
    ['sha256', 'SHA-256'],
    ['sha384', 'SHA-384'],
    ['sha512', 'SHA-512'],
  ] as const) {
    const hasher = await hashers.create(algorithm);
    for (const piece of ['some', '', ' bytes']) await hasher.update(new TextEncoder().encode(piece));
    const whole = await crypto.subtle.digest(name, new TextEncoder().encode('some bytes'));
    expect(await hasher.digest()).toEqual(new Uint8Array(whole));
  }
});

it.each(['PACKUMENTS', 'BLOBS', 'REPLICA', 'REGISTRY'] as const)(
  'says which binding is missing, and the line to add for it: %s',
  async (name) => {
    const bindings: Bindings = { ...env, REGISTRY };
    delete bindings[name];
    expect(await codeOf(() => createEnv(bindings))).toBe('ERR_NO_BINDING');
    expect(() => createEnv(bindings)).toThrow(new RegExp(`wrangler\\.jsonc\\n${name}: .*"${name}"`));
  },
);

it('names all that are missing at once', () => {
  expect(() => createEnv({})).toThrow(/PACKUMENTS: .*\nBLOBS: .*\nREPLICA: .*\nREGISTRY: /);
});
