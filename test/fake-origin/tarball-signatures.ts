import { createECDH, createHash, createHmac, createPublicKey } from 'node:crypto';

/** The order of P-256's group. */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** As `/-/npm/v1/keys` lists it. */
export interface SigningKeyEntry {
  expires: null;
  keyid: string;
  keytype: 'ecdsa-sha2-nistp256';
  scheme: 'ecdsa-sha2-nistp256';
  /** The public key in SPKI form, base64. */
  key: string;
}

/**
 * An ECDSA key on P-256 that follows from the seed, as do its signatures (RFC 6979): `node:crypto` would make another
 * one each time.
 */
export class SigningKey {
  readonly entry: SigningKeyEntry;
  readonly #secret: bigint;
  #signed = new Map<string, string>();

  constructor(seed: number | bigint) {
    const secret = typeof seed === 'bigint' ? seed : toNumber(sha256(`signing key ${seed}`)) % (ORDER - 1n);
    this.#secret = typeof seed === 'bigint' ? seed : secret + 1n;
    const [, x, y] = point(this.#secret);
    const jwk = { kty: 'EC', crv: 'P-256', x: x.toString('base64url'), y: y.toString('base64url') };
    const spki = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'der' });
    this.entry = {
      expires: null,
      keyid: `SHA256:${createHash('sha256').update(spki).digest('base64').replace(/=+$/, '')}`,
      keytype: 'ecdsa-sha2-nistp256',
      scheme: 'ecdsa-sha2-nistp256',
      key: spki.toString('base64'),
    };
  }

  /** The signature of a text's SHA-256, DER in base64; made once. */
  sign(text: string): string {
    const known = this.#signed.get(text);
    if (known !== undefined) return known;
    const [r, s] = this.signature(sha256(text));
    const body = Buffer.concat([derInteger(r), derInteger(s)]);
    const made = Buffer.concat([Buffer.from([0x30, body.length]), body]).toString('base64');
    this.#signed.set(text, made);
    return made;
  }

  /** `r` and `s` for a digest. */
  signature(digest: Buffer): [r: bigint, s: bigint] {
    const k = nonce(this.#secret, digest);
    const [, x] = point(k);
    const r = toNumber(x) % ORDER;
    return [r, (inverse(k) * (toNumber(digest) + r * this.#secret)) % ORDER];
  }
}

/** RFC 6979, section 3.2, steps b to h. The chance that a first candidate is out of range is one in 2^32. */
function nonce(secret: bigint, digest: Buffer): bigint {
  const seed = Buffer.concat([toBytes(secret), toBytes(toNumber(digest) % ORDER)]);
  let key = Buffer.alloc(32);
  let value = Buffer.alloc(32, 1);
  const hmac = (...parts: Buffer[]) => createHmac('sha256', key).update(Buffer.concat(parts)).digest();
  for (const mark of [0, 1]) {
    key = hmac(value, Buffer.from([mark]), seed);
    value = hmac(value);
  }
  for (;;) {
    value = hmac(value);
    const candidate = toNumber(value);
    if (candidate > 0n && candidate < ORDER) return candidate;
    key = hmac(value, Buffer.from([0]));
    value = hmac(value);
  }
}

/** The generator times `scalar`, with its coordinates. */
function point(scalar: bigint): [whole: Buffer, x: Buffer, y: Buffer] {
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(toBytes(scalar));
  const whole = curve.getPublicKey();
  return [whole, whole.subarray(1, 33), whole.subarray(33)];
}

function inverse(value: bigint): bigint {
  let [r0, r1, t0, t1] = [ORDER, value % ORDER, 0n, 1n];
  while (r1 !== 0n) {
    const q = r0 / r1;
    [r0, r1] = [r1, r0 - q * r1];
    [t0, t1] = [t1, t0 - q * t1];
  }
  return ((t0 % ORDER) + ORDER) % ORDER;
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function toNumber(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString('hex')}`);
}

function toBytes(number: bigint): Buffer {
  return Buffer.from(number.toString(16).padStart(64, '0'), 'hex');
}

/** Without leading zeros, but for one where the number would look negative. */
function derInteger(number: bigint): Buffer {
  const hex = number.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  const signed = (bytes[0] as number) >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes;
  return Buffer.concat([Buffer.from([0x02, signed.length]), signed]);
}
