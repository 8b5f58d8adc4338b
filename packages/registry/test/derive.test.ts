import { HttpError, webCodec } from '@_all_docs/http';
import { checkPackument } from '@_all_docs/packument';
import { checkAndDerive, type DeriveOptions, deriveDocument } from '@_all_docs/registry';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const BASE = 'http://replica.test/npm/';

async function derive(document: unknown, options: Omit<DeriveOptions, 'name'> & { name?: string }) {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  const made = await deriveDocument(gzipSync(text), 'gzip', { name: 'pkg', ...options });
  return gunzipSync(made).toString();
}

const abbreviated = async (document: unknown, more: object = {}) =>
  JSON.parse(await derive(document, { form: 'abbreviated', ...more }));

/** What the npm registry documents of a version in the abbreviated form, and `libc`. */
const DOCUMENTED = [
  '_hasShrinkwrap acceptDependencies bin bundleDependencies cpu dependencies deprecated devDependencies directories',
  'dist engines funding hasInstallScript libc name optionalDependencies os peerDependencies peerDependenciesMeta version',
]
  .join(' ')
  .split(' ');

const EVERYTHING = {
  name: 'pkg',
  version: '2.0.0',
  description: 'left out',
  deprecated: 'use another',
  dependencies: { a: '1' },
  acceptDependencies: { a: '2' },
  optionalDependencies: { b: '1' },
  devDependencies: { c: '1' },
  bundleDependencies: ['a'],
  peerDependencies: { d: '1' },
  peerDependenciesMeta: { d: { optional: true } },
  bin: { pkg: 'bin.js' },
  directories: { lib: 'lib' },
  dist: {
    shasum: 'f'.repeat(40),
    integrity: 'sha512-abc',
    tarball: 'https://registry.example.test/pkg/-/pkg-2.0.0.tgz',
    fileCount: 3,
    unpackedSize: 1000,
    signatures: [{ keyid: 'k', sig: 's' }],
    attestations: { url: 'https://registry.example.test/-/npm/v1/attestations/pkg@2.0.0' },
  },
  engines: { node: '>=20' },
  _hasShrinkwrap: false,
  funding: { url: 'https://example.test' },
  cpu: ['x64'],
  os: ['linux'],
  libc: ['glibc'],
  scripts: { postinstall: 'node x', test: 'node test' },
  gitHead: 'abc',
  _npmUser: { name: 'me' },
  maintainers: [{ name: 'me' }],
  readme: 'long',
  types: 'index.d.ts',
};

const DOCUMENT = {
  _id: 'pkg',
  _rev: '1-a',
  name: 'pkg',
  description: 'what it is for',
  'dist-tags': { latest: '2.0.0', next: '3.0.0-0' },
  versions: { '1.0.0': { name: 'pkg', version: '1.0.0', dist: { tarball: 'x' } }, '2.0.0': EVERYTHING },
  time: {
    created: '2020-01-01T00:00:00.000Z',
    modified: '2025-01-02T03:04:05.678Z',
    '1.0.0': '2020-01-01T00:00:00.000Z',
  },
  readme: 'long',
  maintainers: [{ name: 'me' }],
  users: { you: true },
};

describe('the abbreviated form', () => {
  test('has the documented fields, libc and a derived hasInstallScript, and nothing else', async () => {
    const { description, scripts, gitHead, _npmUser, maintainers, readme, types, ...kept } = EVERYTHING;
    expect(await abbreviated(DOCUMENT)).toEqual({
      name: 'pkg',
      modified: '2025-01-02T03:04:05.678Z',
      'dist-tags': { latest: '2.0.0', next: '3.0.0-0' },
      versions: {
        '1.0.0': { name: 'pkg', version: '1.0.0', dist: { tarball: 'x' } },
        '2.0.0': { ...kept, hasInstallScript: true },
      },
    });
  });

  test.each([
    [{ preinstall: 'x' }, true],
    [{ install: 'x' }, true],
    [{ postinstall: 'x' }, true],
    [{ prepare: 'x', test: 'x' }, undefined],
    [{}, undefined],
    [undefined, undefined],
    [null, undefined],
    ['preinstall', undefined],
    [['install'], undefined],
  ])('scripts %j give hasInstallScript %s', async (scripts, expected) => {
    const { versions } = await abbreviated({ versions: { '1.0.0': { name: 'pkg', scripts } } });
    expect(versions['1.0.0'].hasInstallScript).toBe(expected);
  });

  test('of an abbreviated document is that document', async () => {
    const once = await abbreviated(DOCUMENT);
    expect(await abbreviated(once)).toEqual(once);
  });

  test('of an unpublished package has no versions, and says when it changed', async () => {
    const time = { modified: '2025-01-02T03:04:05.678Z', unpublished: { time: 'x', versions: ['1.0.0'] } };
    expect(await abbreviated({ _id: 'pkg', name: 'pkg', time })).toEqual({ name: 'pkg', modified: time.modified });
  });

  test.each([
    '{"versions":null,"dist-tags":{}}',
    '{"versions":[1],"time":"yesterday","dist-tags":{}}',
    '{"versions":{"1.0.0":null,"2.0.0":[],"3.0.0":"x"},"dist-tags":{}}',
  ])('of a document as odd as %s has no version that is none', async (text) => {
    const { versions = {} } = await abbreviated(text);
    expect(versions).toEqual({});
  });

  test('keys that a publisher chose are kept as they are', async () => {
    const text =
      '{"versions":{"__proto__":{"name":"pkg","dependencies":{"__proto__":"1","constructor":"2"}}},"dist-tags":{"__proto__":"1.0.0"}}';
    expect(await derive(text, { form: 'abbreviated' })).toBe(
      '{"name":"pkg","versions":{"__proto__":{"name":"pkg","dependencies":{"__proto__":"1","constructor":"2"}}},"dist-tags":{"__proto__":"1.0.0"}}',
    );
  });

  test('an escaped key is the key that it spells', async () => {
    const { versions } = await abbreviated('{"v\\u0065rsions":{"\\u0031.0.0":{"na\\u006de":"pkg"}}}');
    expect(versions).toEqual({ '1.0.0': { name: 'pkg' } });
  });

  test('of any document has no field that is not documented', async () => {
    const field = fc.oneof(fc.constantFrom(...DOCUMENTED, 'scripts', 'readme', 'main', '_npmUser'), fc.string());
    const version = fc.dictionary(field, fc.jsonValue({ maxDepth: 2 }));
    const document = fc.record({
      name: fc.constant('pkg'),
      'dist-tags': fc.dictionary(fc.string(), fc.string()),
      versions: fc.dictionary(fc.string(), version),
      time: fc.dictionary(fc.constantFrom('modified', 'created', '1.0.0'), fc.string()),
      readme: fc.string(),
    });
    await fc.assert(
      fc.asyncProperty(document, async (full) => {
        const short = await abbreviated(full);
        expect(Object.keys(short).sort()).toEqual(
          ['dist-tags', ...(full.time['modified'] === undefined ? [] : ['modified']), 'name', 'versions'].sort(),
        );
        expect(short['dist-tags']).toEqual(full['dist-tags']);
        expect(Object.keys(short.versions).sort()).toEqual(Object.keys(full.versions).sort());
        for (const [key, made] of Object.entries<Record<string, unknown>>(short.versions)) {
          const source = full.versions[key] as Record<string, unknown>;
          for (const name of Object.keys(made)) {
            expect(DOCUMENTED).toContain(name);
            if (name !== 'hasInstallScript') expect(made[name]).toEqual(source[name]);
          }
          const kept = DOCUMENTED.filter((name) => name !== 'hasInstallScript' && source[name] !== undefined);
          expect(Object.keys(made)).toEqual(expect.arrayContaining(kept));
        }
      }),
      { seed: 11, numRuns: 300 },
    );
  });
});

describe('our own tarball URLs', () => {
  test('stand in both forms and in a single version; nothing else differs', async () => {
    const url = `${BASE}pkg/-/pkg-2.0.0.tgz`;
    const full = JSON.parse(await derive(DOCUMENT, { form: 'full', base: BASE }));
    expect(full.versions['2.0.0'].dist.tarball).toBe(url);
    full.versions['2.0.0'].dist.tarball = EVERYTHING.dist.tarball;
    full.versions['1.0.0'].dist.tarball = 'x';
    expect(full).toEqual(DOCUMENT);
    expect((await abbreviated(DOCUMENT, { base: BASE })).versions['2.0.0'].dist).toEqual({
      ...EVERYTHING.dist,
      tarball: url,
    });
    const version = JSON.parse(await derive(DOCUMENT, { form: 'version', version: '2.0.0', base: BASE }));
    expect(version).toEqual({ ...EVERYTHING, dist: { ...EVERYTHING.dist, tarball: url } });
  });

  test('every other byte of the full form stays as the origin wrote it', async () => {
    const odd = (url: string) =>
      `{"name":"pkg","n":1.0,"big":12345678901234567890,"t":"\\u00e9\\/","versions":{"1.0.0":{ "x" : [1.50,{"dist":{"tarball":"no"}}], "dist" : {"a":1 ,"tarball":${url}}, "tarball":"no"}},"1":1,"0":0}`;
    expect(
      await derive(odd('"https:\\/\\/registry.example.test\\/pkg\\/-\\/pkg-1.0.0.tgz"'), { form: 'full', base: BASE }),
    ).toBe(odd(`"${BASE}pkg/-/pkg-1.0.0.tgz"`));
  });

  test('bytes that are not UTF-8 pass through the full form', async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"name":"pkg","readme":"'),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('","versions":{"1.0.0":{"author":"'),
      Buffer.from([0xff]),
      Buffer.from('","dist":{"tarball":"u"}}}}'),
    ]);
    const made = gunzipSync(await deriveDocument(gzipSync(bytes), 'gzip', { name: 'pkg', form: 'full', base: BASE }));
    expect(made.includes(Buffer.from([0xff, 0xfe]))).toBe(true);
    expect(made.toString('latin1')).toContain(`"author":"\xff","dist":{"tarball":"${BASE}pkg/-/pkg-1.0.0.tgz"}`);
  });

  test.each([
    ['pkg', '1.0.0', 'https://r.test/pkg/-/pkg-1.0.0.tgz', 'pkg/-/pkg-1.0.0.tgz'],
    [
      'handlebars',
      '1.0.2-beta',
      'https://r.test/handlebars/-/handlebars-1.0.2beta.tgz',
      'handlebars/-/handlebars-1.0.2beta.tgz',
    ],
    ['@s/n', '1.0.0', 'https://r.test/@s/n/-/n-1.0.0.tgz', '@s/n/-/n-1.0.0.tgz'],
    ['@s/n', '1.0.0', 'https://r.test/download/@s/n/1.0.0/0a1b2c', '@s/n/-/n-1.0.0.tgz'],
    ['pkg', '1.0.0', 'https://r.test/pkg/-/pkg-1.0.0.tgz?token=secret#x', 'pkg/-/pkg-1.0.0.tgz'],
    ['pkg', '1.0.0', 'https://r.test/pkg/-/..%2f..%2fx.tgz', 'pkg/-/pkg-1.0.0.tgz'],
    ['pkg', '1.0.0', 'https://r.test/pkg/-/%zz.tgz', 'pkg/-/pkg-1.0.0.tgz'],
    ['pkg', '1.0.0+b', 'https://r.test/pkg/-/pkg-1.0.0+b.tgz', 'pkg/-/pkg-1.0.0%2Bb.tgz'],
    ['pkg', '1.0.0', 'https://r.test/pkg/-/a"b.tgz', 'pkg/-/a%22b.tgz'],
    ['@x/..', '1.0.0', 'https://r.test/@x/../-/..-1.0.0.tgz', '@x%2f../-/..-1.0.0.tgz'],
    ['pkg', '1.0.0', '', 'pkg/-/pkg-1.0.0.tgz'],
  ])('%s %s from %s is %s', async (name, version, tarball, path) => {
    const document = { name, versions: { [version]: { name, dist: { tarball } } } };
    for (const form of ['full', 'abbreviated'] as const) {
      const made = JSON.parse(await derive(document, { name, form, base: BASE }));
      expect(made.versions[version].dist.tarball).toBe(BASE + path);
    }
  });
});

test('whatever a tarball URL is, both forms have the same in its place', async () => {
  const piece = fc.oneof(
    fc.constantFrom('/', '.tgz', '?', '#', '%2f', '%zz', '\\', '"', 'é', ':', '@', '+', '..', ' ', '\u0001', "!'()*~"),
    fc.stringMatching(/^[a-z0-9._-]{1,5}$/),
  );
  const url = fc
    .tuple(fc.constantFrom('https://r.test/pkg/-/', 'http://r.test', '', 'x'), fc.array(piece, { maxLength: 6 }))
    .map(([start, pieces]) => start + pieces.join(''));
  await fc.assert(
    fc.asyncProperty(url, fc.constantFrom('', '.tgz'), fc.boolean(), async (start, ending, escaped) => {
      const text = JSON.stringify(start + ending);
      const tarball = escaped ? text.replaceAll('/', '\\/') : text;
      const document = `{"name":"pkg","versions":{"1.0.0":{"name":"pkg","dist":{"tarball":${tarball}}}}}`;
      const urlIn = async (form: 'full' | 'abbreviated') =>
        JSON.parse(await derive(document, { form, base: BASE })).versions['1.0.0'].dist.tarball;
      expect(await urlIn('full')).toBe(await urlIn('abbreviated'));
    }),
    { seed: 11, numRuns: 2_000 },
  );
});

describe('one version of a document', () => {
  test('comes as it stands there', async () => {
    expect(JSON.parse(await derive(DOCUMENT, { form: 'version', version: '2.0.0' }))).toEqual(EVERYTHING);
  });

  test('that is not there is nothing', async () => {
    const made = await deriveDocument(gzipSync(JSON.stringify(DOCUMENT)), 'gzip', {
      name: 'pkg',
      form: 'version',
      version: '9.0.0',
    });
    expect(made.length).toBe(0);
  });
});

describe('damaged documents', () => {
  test.each([
    '',
    '[]',
    'null',
    '{"versions":{',
    '{"versions":{"1.0.0":{',
    '{"a":1}x',
    '{"a" 1}',
    '{"versions":{"1.0.0":{]}}}',
    '<html>',
  ])('%j is refused in every form', async (text) => {
    for (const form of ['abbreviated', 'full'] as const) {
      await expect(derive(text, { form, base: BASE })).rejects.toThrow();
    }
  });

  test.each([
    [{ form: 'abbreviated' }],
    [{ form: 'abbreviated', base: BASE }],
    [{ form: 'full', base: BASE }],
    [{ form: 'version', version: '1.0.0' }],
    [{ form: 'summary' }],
  ] as const)('what %j is made of stays as it was, and so does what was made', async (options) => {
    const source = Buffer.from(JSON.stringify({ ...DOCUMENT, readme: 'x'.repeat(300_000) }));
    const before = source.toString('latin1');
    const make = (bytes: Uint8Array, coding: 'identity' | 'gzip') =>
      deriveDocument(bytes, coding, { name: 'pkg', ...options });
    const made = await make(source, 'identity');
    expect(source.toString('latin1')).toBe(before);
    expect(Buffer.from(await make(gzipSync(source), 'gzip'))).toEqual(Buffer.from(made));
  });

  test('bytes that do not unpack are ERR_ENCODING', async () => {
    const cut = gzipSync(JSON.stringify(DOCUMENT)).subarray(0, 100);
    await expect(deriveDocument(cut, 'gzip', { name: 'pkg', form: 'abbreviated' })).rejects.toMatchObject({
      code: 'ERR_ENCODING',
    });
  });
});

describe('large documents', () => {
  const versions = Object.fromEntries(
    Array.from({ length: 800 }, (_, i) => {
      const version = `1.${i}.0`;
      const tarball = `https://registry.example.test/pkg/-/pkg-${version}.tgz`;
      return [
        version,
        { ...EVERYTHING, version, readme: `é\\"${'x'.repeat(12_000)}`, dist: { ...EVERYTHING.dist, tarball } },
      ];
    }),
  );
  const large = { ...DOCUMENT, versions };
  const source = gzipSync(JSON.stringify(large), { level: 1 });
  /** A codec that cannot hold more than is allowed, and tells how large the pieces were that it gave out. */
  const pieces: number[] = [];
  const codec: typeof webCodec = {
    gzip: () => Promise.reject(new Error('too large to be packed whole')),
    decode: (bytes, encoding, maxBytes) => webCodec.decode(bytes, encoding, maxBytes),
    async *decodeStream(bytes, encoding) {
      for await (const piece of webCodec.decodeStream(bytes, encoding)) {
        pieces.push(piece.length);
        yield piece;
      }
    },
  };

  test.each([
    [{ form: 'abbreviated' }],
    [{ form: 'abbreviated', base: BASE }],
    [{ form: 'full', base: BASE }],
    [{ form: 'full' }],
    [{ form: 'version', version: '1.799.0', base: BASE }],
  ] as const)('%j is made piece by piece, and is what it would be otherwise', async (options) => {
    pieces.length = 0;
    const streamed = await deriveDocument(source, 'gzip', { name: 'pkg', ...options }, codec);
    expect(pieces.length).toBeGreaterThan(50);
    const made = JSON.parse(gunzipSync(streamed).toString());
    const one = JSON.parse(await derive({ ...large, versions: { '1.799.0': versions['1.799.0'] } }, options));
    if (options.form === 'version') expect(made).toEqual(one);
    else {
      expect(Object.keys(made.versions)).toEqual(Object.keys(versions));
      expect({ ...made, versions: { '1.799.0': made.versions['1.799.0'] } }).toEqual(one);
    }
  });

  test('identity bytes are handled in pieces as well', async () => {
    const made = await deriveDocument(gunzipSync(source), 'identity', { name: 'pkg', form: 'abbreviated' }, codec);
    expect(Object.keys(JSON.parse(gunzipSync(made).toString()).versions)).toHaveLength(800);
  });

  test('trouble in the middle of it is the error, and not half a document', async () => {
    const cut = source.subarray(0, source.length - 1_000);
    await expect(deriveDocument(cut, 'gzip', { name: 'pkg', form: 'abbreviated' })).rejects.toMatchObject({
      code: 'ERR_ENCODING',
    });
  });
});

describe('a document that has just come', () => {
  const OPTIONS = { name: 'pkg', form: 'full', base: BASE } as const;
  const text = JSON.stringify(DOCUMENT);
  const packed = gzipSync(text);
  /** Holds nothing whole. */
  const small: typeof webCodec = {
    ...webCodec,
    decode: () => Promise.reject(new HttpError('ERR_TOO_LARGE', 'in pieces, please')),
  };

  test.each([
    ['whole', webCodec],
    ['in pieces', small],
  ])('is checked and made into another form in one pass, %s, and is what it would be in two', async (_, codec) => {
    for (const options of [
      OPTIONS,
      { ...OPTIONS, form: 'abbreviated' },
      { name: 'pkg', form: 'abbreviated' },
    ] as const) {
      const both = await checkAndDerive(packed, 'gzip', options, codec);
      expect(both?.checked).toEqual(await checkPackument('pkg', packed, 'gzip', 'crc', webCodec));
      const alone = gunzipSync(await deriveDocument(packed, 'gzip', options)).toString();
      expect(gunzipSync(both?.made as Uint8Array).toString()).toBe(alone);
    }
  });

  test.each([
    ['of another name', gzipSync(text.replace('"_id":"pkg"', '"_id":"other"'))],
    ['that is cut', gzipSync(text.slice(0, -1))],
    ['with something behind it', gzipSync(`${text}x`)],
    ['whose coding is damaged', packed.subarray(0, -9)],
    ['that begins otherwise than others', gzipSync(`{"readme":"x",${text.slice(1)}`)],
    ['that is empty', gzipSync('')],
  ])('one %s is left to the check alone', async (_, source) => {
    for (const codec of [webCodec, small]) {
      expect(await checkAndDerive(source, 'gzip', OPTIONS, codec)).toBeUndefined();
    }
  });

  test('one that goes out as it is needs the check alone', async () => {
    expect(await checkAndDerive(packed, 'gzip', { name: 'pkg', form: 'full' })).toBeUndefined();
  });
});

test('whatever the bytes are, something is made of them or they are refused: nobody waits for ever', async () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"',
      '\\\\',
      ',',
      ':',
      '"versions":',
      '"time":{',
      '"dist"',
      '1',
      'true',
      ' ',
      '{"1.0.0":{"dist":{',
    ),
    fc.string({ maxLength: 3 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 30 }), async (pieces) => {
      const text = pieces.join('');
      for (const form of ['abbreviated', 'full', 'summary'] as const) {
        const outcome = await derive(text, { form, base: BASE }).then(
          () => 'made',
          (error: unknown) => error,
        );
        if (outcome !== 'made') expect(outcome).toBeInstanceOf(Error);
      }
    }),
    { seed: 13, numRuns: 1_000 },
  );
});

test('however a document is cut into pieces, the same is made of it', async () => {
  const text = new TextEncoder().encode(
    JSON.stringify({ ...DOCUMENT, 'é"\\': '\\"}{', a: [1, -2.5e3, true, null, '}'] }),
  );
  const whole = await deriveDocument(text, 'identity', { name: 'pkg', form: 'full', base: BASE });
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.integer({ min: 1, max: text.length - 1 }), { maxLength: 60 }), async (cuts) => {
      const codec: typeof webCodec = {
        ...webCodec,
        decode: () => Promise.reject(new HttpError('ERR_TOO_LARGE', 'in pieces, please')),
        async *decodeStream() {
          let from = 0;
          for (const cut of [...cuts.sort((a, b) => a - b), text.length]) {
            yield text.slice(from, cut);
            from = cut;
          }
        },
      };
      const made = await deriveDocument(text, 'identity', { name: 'pkg', form: 'full', base: BASE }, codec);
      expect(gunzipSync(made).toString()).toBe(gunzipSync(whole).toString());
    }),
    { seed: 7, numRuns: 200 },
  );
});
