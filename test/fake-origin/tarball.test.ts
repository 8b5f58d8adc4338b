import { createHash, createVerify } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { ask } from './client.ts';
import type { FakeOrigin, FakeOriginOptions } from './index.ts';
import { startFakeOrigin } from './index.ts';
import { SigningKey } from './tarball-signatures.ts';

let fake: FakeOrigin;
afterEach(() => fake?.close());
const start = async (options: Partial<FakeOriginOptions> = {}) => {
  fake = await startFakeOrigin({ packages: 100, seed: 5, sizes: 'small', ...options });
};

interface Dist {
  tarball: string;
  integrity: string;
  signatures: { keyid: string; sig: string }[];
  attestations?: { url: string; provenance: { predicateType: string } };
}
async function dists(name: string): Promise<[version: string, dist: Dist][]> {
  const { text } = await ask(fake.url, `/${encodeURIComponent(name)}`);
  const { versions } = JSON.parse(text) as { versions: Record<string, { dist: Dist }> };
  return Object.entries(versions).map(([version, { dist }]) => [version, dist]);
}

describe('a signing key', () => {
  it('signs as RFC 6979 says (A.2.5, SHA-256, "sample")', () => {
    const key = new SigningKey(0xc9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721n);
    const [r, s] = key.signature(createHash('sha256').update('sample').digest());
    expect(r).toBe(0xefd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716n);
    expect(s).toBe(0xf7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8n);
  });

  it('follows from the seed', () => {
    expect(new SigningKey(1).sign('text')).toBe(new SigningKey(1).sign('text'));
    expect(new SigningKey(1).entry).not.toEqual(new SigningKey(2).entry);
  });
});

describe('real signatures', () => {
  it.each(['jquery', '@a/b', 'naïve-日本'])(
    'of every version of %s hold under the listed key, and are the same next time',
    async (name) => {
      await start({ signatures: 'real' });
      const { keys } = JSON.parse((await ask(fake.url, '/-/npm/v1/keys')).text);
      expect(keys).toEqual([
        {
          expires: null,
          keyid: keys[0].keyid,
          keytype: 'ecdsa-sha2-nistp256',
          scheme: 'ecdsa-sha2-nistp256',
          key: keys[0].key,
        },
      ]);
      const pem = `-----BEGIN PUBLIC KEY-----\n${keys[0].key}\n-----END PUBLIC KEY-----`;
      const all = await dists(name);
      expect(all.length).toBeGreaterThan(0);
      const holds = (text: string, sig: string) => createVerify('SHA256').update(text).verify(pem, sig, 'base64');
      for (const [version, { integrity, signatures }] of all) {
        const [{ keyid, sig } = { keyid: '', sig: '' }] = signatures;
        expect(keyid).toBe(keys[0].keyid);
        expect(holds(`${name}@${version}:${integrity}`, sig)).toBe(true);
        expect(holds(`${name}@${version}:sha512-x`, sig)).toBe(false);
      }
      await fake.close();
      await start({ signatures: 'real' });
      expect((await dists(name)).map(([, { signatures }]) => signatures)).toEqual(
        all.map(([, { signatures }]) => signatures),
      );
    },
  );
});

describe('attestations', () => {
  it('are where the document says, about the very tarball', async () => {
    await start({ attestations: true, tarballs: 'named' });
    for (const name of ['jquery', '@a/b']) {
      for (const [version, { integrity, attestations }] of await dists(name)) {
        const { pathname } = new URL(attestations?.url ?? '');
        const { status, text } = await ask(fake.url, pathname);
        expect(status).toBe(200);
        const [publish] = JSON.parse(text).attestations;
        const statement = JSON.parse(Buffer.from(publish.bundle.dsseEnvelope.payload, 'base64').toString());
        expect(statement.subject[0].digest.sha512).toBe(Buffer.from(integrity.slice(7), 'base64').toString('hex'));
        expect(statement.predicate).toEqual({ name, version });
      }
    }
    expect((await ask(fake.url, '/-/npm/v1/attestations/jquery@99.0.0')).status).toBe(404);
    expect((await ask(fake.url, '/-/npm/v1/attestations/jquery')).status).toBe(404);
  });

  it('are not there unless they are asked for', async () => {
    await start();
    const [[version = '', dist] = []] = await dists('jquery');
    expect(dist).not.toHaveProperty('attestations');
    expect((await ask(fake.url, `/-/npm/v1/attestations/jquery@${version}`)).status).toBe(404);
  });
});

describe('tarballs', () => {
  it.each([9_000, 134_000])('have about the size that is asked for: %i', async (tarballBytes) => {
    await start({ tarballBytes });
    for (const [, { tarball, integrity }] of await dists('jquery')) {
      const { raw } = await ask(fake.url, new URL(tarball).pathname);
      expect(Math.abs(raw.length / tarballBytes - 1)).toBeLessThan(0.2);
      expect(`sha512-${createHash('sha512').update(raw).digest('base64')}`).toBe(integrity);
      expect(gunzipSync(raw).toString('latin1')).toContain('package/filler.txt');
    }
  });

  it('lie on another host where the rule says so, and are right again afterwards', async () => {
    await start({ faults: [{ fault: 'tarball-host', to: 'http://169.254.169.254/', times: 1 }] });
    const bent = await dists('jquery');
    for (const [version, { tarball }] of bent) {
      expect(tarball).toBe(`http://169.254.169.254/jquery/-/jquery-${version}.tgz`);
    }
    const after = await dists('jquery');
    for (const [, { tarball }] of after) expect(tarball.startsWith(`${fake.url}/jquery/-/`)).toBe(true);
    expect(after.map(([, { integrity }]) => integrity)).toEqual(bent.map(([, { integrity }]) => integrity));
    expect(fake.stats().faults).toMatchObject({ 'tarball-host': 1 });
    expect(() => fake.setFaults([{ fault: 'tarball-host' }])).toThrow('needs to');
  });
});
