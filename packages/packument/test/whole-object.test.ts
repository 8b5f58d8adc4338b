import { type Codec, HttpError, webCodec } from '@_all_docs/http';
import { checkPackument } from '@_all_docs/packument';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

fc.configureGlobal({ seed: 20250601 });

const encoder = new TextEncoder();
const HEAD = '{"_id":"a","_rev":"1-x"';
const named = (more: object): object => ({ _id: 'a', _rev: '1-x', ...more, name: 'a' });

/** Whether the text passes: a check that reads no further than the brackets and the head. */
async function passes(bytes: Uint8Array, codec: Codec = webCodec): Promise<boolean> {
  try {
    await checkPackument('a', bytes, 'identity', 'crc', codec);
    return true;
  } catch (error) {
    expect((error as { code?: string }).code).toBe('ERR_BAD_PACKUMENT');
    return false;
  }
}

/** A codec that finds every document large and hands it out in pieces that begin at these places. */
function inPieces(places: readonly number[]): Codec {
  return {
    ...webCodec,
    decode: () => {
      throw new HttpError('ERR_TOO_LARGE', 'large');
    },
    async *decodeStream(bytes) {
      const cuts = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
      for (const [i, from] of cuts.slice(0, -1).entries()) yield bytes.slice(from, cuts[i + 1]);
    },
  };
}

function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder().decode(bytes));
    return true;
  } catch {
    return false;
  }
}

/** Documents whose strings are long and short, full of what could be taken for an end. */
const text = fc.oneof(
  fc.string({ unit: fc.constantFrom('"', '\\', '{', '}', '[', ']', '#', 'x', '\n', 'é', '\u{1f600}'), maxLength: 40 }),
  fc.string({ maxLength: 200 }),
);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.constantFrom(null, true, 0, -1.5e300),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(text, tie('any'), { maxKeys: 4 }),
  ),
})).any as fc.Arbitrary<unknown>;
const documents = fc
  .tuple(fc.dictionary(text, value, { maxKeys: 5 }), fc.constantFrom(undefined, 1, '\t'))
  .map(([more, indent]) => encoder.encode(JSON.stringify(named(more), undefined, indent)));

describe('a document', () => {
  it('passes whole, and cut anywhere it does not', async () => {
    await fc.assert(
      fc.asyncProperty(documents, async (bytes) => {
        expect(await passes(bytes)).toBe(true);
        for (let end = 0; end < bytes.length; end++) {
          if (await passes(bytes.subarray(0, end))) throw new Error(`passes when cut to ${end} of ${bytes.length}`);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('with anything but white space behind it does not pass', async () => {
    await fc.assert(
      fc.asyncProperty(documents, text, async (bytes, more) => {
        const longer = Uint8Array.from([...bytes, ...encoder.encode(more)]);
        expect(await passes(longer)).toBe(isJson(longer));
      }),
    );
  });

  it('is the same wherever in memory it lies, and whatever lies around it', async () => {
    await fc.assert(
      fc.asyncProperty(documents, fc.nat(9), fc.constantFrom(...'"\\{}# '), async (bytes, place, around) => {
        const memory = new Uint8Array(bytes.length + 20).fill(around.charCodeAt(0));
        memory.set(bytes, place);
        expect(await passes(memory.subarray(place, place + bytes.length))).toBe(true);
        expect(await passes(memory.subarray(place, place + bytes.length - 1))).toBe(false);
      }),
    );
  });

  it('is the same in one piece and in many, whole or cut', async () => {
    await fc.assert(
      fc.asyncProperty(documents, fc.array(fc.nat(), { maxLength: 30 }), fc.nat(), async (bytes, places, end) => {
        expect(await passes(bytes, inPieces(places))).toBe(true);
        expect(await passes(bytes.subarray(0, end % bytes.length), inPieces(places))).toBe(false);
      }),
    );
  });

  it('is the same in pieces of one byte', async () => {
    const bytes = encoder.encode(JSON.stringify(named({ '"\\': ['}]"', { '\\\\"': '#"\\' }, 'x'.repeat(70)] })));
    const every = Array.from(bytes.keys());
    expect(await passes(bytes, inPieces(every))).toBe(true);
    for (const end of every) expect(await passes(bytes.subarray(0, end), inPieces(every))).toBe(false);
  });

  it('in pieces whose head needs a parser is parsed', async () => {
    const codec = inPieces([5, 50]);
    const late = encoder.encode(JSON.stringify({ versions: {}, name: 'a' }));
    await expect(checkPackument('a', late, 'identity', 'crc', { ...codec, decode: onceTooLarge() })).resolves.toEqual({
      rev: undefined,
      modified: undefined,
    });
  });
});

describe('strings', () => {
  it.each(['\\"', '\\\\', '\\\\\\"', '#', ']', '"', '\\u0022', '\\n'.repeat(9), 'é', '\\ud83d\\ude00'])(
    'of any length may hold %s anywhere',
    async (odd) => {
      for (let before = 0; before < 12; before++) {
        for (let after = 0; after < 12; after++) {
          const string = 'x'.repeat(before) + odd + 'y'.repeat(after);
          const whole = encoder.encode(`${HEAD},"readme":"${string}","z":{}}`);
          expect([string, await passes(whole)]).toEqual([string, isJson(whole)]);
          expect(await passes(encoder.encode(`${HEAD},"readme":"${string}`))).toBe(false);
        }
      }
    },
  );
});

/** A decoder that finds the document too large at first, and unpacks it when it is asked again. */
function onceTooLarge(): Codec['decode'] {
  let asked = 0;
  return (bytes) => {
    asked += 1;
    if (asked === 1) throw new HttpError('ERR_TOO_LARGE', 'large');
    return bytes;
  };
}
