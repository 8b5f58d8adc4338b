import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { byBytes } from '../../../test/contract/_bytes.ts';
import { AWKWARD_NAMES } from '../../../test/contract/names.ts';
import { fromKvKey, toKvKey } from '../src/kv-key.ts';

const options = { numRuns: 2_000, seed: 1 };
const key = () =>
  fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.string({ unit: fc.constantFrom(...'./;?^_|~!<}#ab') }));

/** What the KV Store's own rules refuse, and what the local engine refuses on top. */
function isRefused(kvKey: string): boolean {
  const isControl = [...kvKey].some((character) => character < ' ' || character === '\x7f');
  return isControl || /[#;?^|]|\.\/|\/\.{1,2}$|^\.{1,2}$|^\.well-known\//.test(kvKey);
}

describe('a key in the KV Store', () => {
  it('is one that KV takes, whatever the text', () => {
    fc.assert(
      fc.property(key(), (text) => !isRefused(toKvKey(text))),
      options,
    );
    for (const { text } of AWKWARD_NAMES) expect(isRefused(toKvKey(text)), text).toBe(false);
  });

  it('gives back its text', () => {
    fc.assert(
      fc.property(key(), (text) => fromKvKey(toKvKey(text)) === text),
      options,
    );
  });

  it('keeps the order of bytes, so that a listing in the order of KV is one in ours', () => {
    fc.assert(
      fc.property(key(), key(), (a, b) => Math.sign(byBytes(a, b)) === Math.sign(byBytes(toKvKey(a), toKvKey(b)))),
      options,
    );
  });

  it('begins with what the text begins with, so that a prefix finds the same', () => {
    fc.assert(
      fc.property(key(), key(), (a, b) => toKvKey(b).startsWith(toKvKey(a)) === b.startsWith(a)),
      options,
    );
  });

  it('of ours is made without a regular expression: the first one is a twentieth of a hit', () => {
    const exec = vi.spyOn(RegExp.prototype, 'exec');
    for (const text of ['v1:packument:npm:657870', 'v1:derived:https%3A%2F%2Fa-b.test%3A80:61:62']) toKvKey(text);
    const { length } = exec.mock.calls;
    exec.mockRestore();
    expect(length).toBe(0);
  });

  it('of ours is readable: only the dots of a host are written otherwise', () => {
    expect(toKvKey('v1:packument:npm:657870')).toBe('v1:packument:npm:657870');
    expect(toKvKey('v1:packument:https%3A%2F%2Fa.test:61')).toBe('v1:packument:https%3A%2F%2Fa.2etest:61');
  });
});
