import { compareBytes, MemoryOrderedStore, prefixRange, type RowRange } from '@_all_docs/cache';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

fc.configureGlobal({ seed: 20250601 });

const key = fc.string({
  unit: fc.constantFrom('a', 'b', 'c', ':', '\x7f', 'é', '\uff5e', '\u{1f600}'),
  minLength: 1,
  maxLength: 4,
});

async function rows(store: MemoryOrderedStore, range?: RowRange): Promise<[string, string][]> {
  const out: [string, string][] = [];
  for await (const row of store.list(range)) out.push(row);
  return out;
}

async function filled(keys: readonly string[]): Promise<MemoryOrderedStore> {
  const store = new MemoryOrderedStore();
  await store.commit(keys.map((name) => ({ key: name, value: `v${name}` })));
  return store;
}

describe('MemoryOrderedStore', () => {
  it('lists any range in byte order, as a plain filter would', async () => {
    const bound = fc.option(key, { nil: undefined });
    await fc.assert(
      fc.asyncProperty(
        fc.array(key),
        bound,
        bound,
        bound,
        fc.option(fc.nat(5), { nil: undefined }),
        async (keys, start, end, after, limit) => {
          const expected = [...new Set(keys)]
            .sort(compareBytes)
            .filter((name) => start === undefined || compareBytes(name, start) >= 0)
            .filter((name) => end === undefined || compareBytes(name, end) < 0)
            .filter((name) => after === undefined || compareBytes(name, after) > 0)
            .slice(0, limit);
          expect(await rows(await filled(keys), { start, end, after, limit })).toEqual(
            expected.map((name) => [name, `v${name}`]),
          );
        },
      ),
    );
  });

  it('sees what was put in and taken out since the last listing', async () => {
    const store = await filled(['b', 'd']);
    await rows(store);
    await store.commit([
      { key: 'c', value: '1' },
      { key: 'd', value: undefined },
      { key: 'a', value: '2' },
    ]);
    expect((await rows(store)).map(([name]) => name)).toEqual(['a', 'b', 'c']);
    expect(await store.get('d')).toBeUndefined();
  });

  it('gives no row twice while rows are committed under a running listing', async () => {
    const store = await filled(['a', 'b', 'c']);
    const seen: string[] = [];
    for await (const [name] of store.list()) {
      seen.push(name);
      await store.commit([
        { key: `${name}x`, value: '' },
        { key: 'c', value: undefined },
        { key: '0', value: '' },
      ]);
    }
    expect(seen).not.toContain('c');
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('an expectation that does not hold leaves everything as it was', async () => {
    const store = await filled(['a', 'b']);
    const before = await rows(store);
    const changes = [
      { key: 'a', value: 'new' },
      { key: 'c', value: 'new' },
      { key: 'b', value: undefined },
    ];
    for (const expected of [
      { key: 'a', value: 'other' },
      { key: 'a', value: undefined },
      { key: 'c', value: 'vc' },
      { key: 'c', value: '' },
    ]) {
      expect(await store.commit(changes, [{ key: 'b', value: 'vb' }, expected])).toBe(false);
      expect(await rows(store)).toEqual(before);
    }
    expect(
      await store.commit(changes, [
        { key: 'a', value: 'va' },
        { key: 'c', value: undefined },
      ]),
    ).toBe(true);
    expect(await rows(store)).toEqual([
      ['a', 'new'],
      ['c', 'new'],
    ]);
  });

  it('lets one of two rivals win', async () => {
    const store = new MemoryOrderedStore();
    const claim = (owner: string) =>
      store.commit([{ key: 'lease', value: owner }], [{ key: 'lease', value: undefined }]);
    expect((await Promise.all([claim('x'), claim('y')])).filter(Boolean)).toHaveLength(1);
  });

  it('keeps the empty value apart from none', async () => {
    const store = await filled([]);
    await store.commit([{ key: 'a', value: '' }]);
    expect(await store.get('a')).toBe('');
    expect(await rows(store)).toEqual([['a', '']]);
  });
});

describe('prefixRange', () => {
  it('is all keys that begin with the prefix and no others', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(key), fc.option(key, { nil: '' }), async (keys, prefix) => {
        const expected = [...new Set(keys)].filter((name) => name.startsWith(prefix)).sort(compareBytes);
        expect((await rows(await filled(keys), prefixRange(prefix))).map(([name]) => name)).toEqual(expected);
      }),
    );
    expect(prefixRange('v1:a:')).toEqual({ start: 'v1:a:', end: 'v1:a;' });
    expect(prefixRange('')).toEqual({});
  });
});
