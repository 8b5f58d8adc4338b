import type { Clock } from '@_all_docs/http';

/** A public key as Google publishes it (RFC 7517). */
export interface SigningKey {
  kid: string;
  kty: string;
  n: string;
  e: string;
}

export interface OidcOptions {
  /** What the token must have been made for: the service's URL, as the queue was told. */
  audience: string;
  /** The service account that pushes work. */
  email: string;
  /** Google's keys; `again` asks for them anew. */
  keys(again: boolean): Promise<readonly SigningKey[]>;
  clock: Pick<Clock, 'now'>;
}

/** Why a token is not taken. */
export interface Refusal {
  status: 401 | 403;
  error: string;
}

const ISSUERS: ReadonlySet<unknown> = new Set(['https://accounts.google.com', 'accounts.google.com']);
/** How far clocks may differ, in seconds. */
const LEEWAY = 60;
const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
const MAX_TOKEN_LENGTH = 8_192;

/**
 * Checks the tokens that Cloud Tasks and Pub/Sub send with what they push (OpenID Connect Core, section 3.1.3.7): signed by
 * Google, for this audience, by this account, not expired. `undefined` for one that may pass.
 */
export function createOidcCheck(
  options: OidcOptions,
): (authorization: string | undefined) => Promise<Refusal | undefined> {
  return async (authorization) => {
    const [, token] = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization?.slice(0, MAX_TOKEN_LENGTH) ?? '') ?? [];
    if (token === undefined) return { status: 401, error: 'work is taken with an OIDC token of Google only' };
    const [head = '', body = '', signature = ''] = token.split('.');
    const [header, claims] = [parse(head), parse(body)];
    if (header?.['alg'] !== 'RS256' || !claims)
      return { status: 401, error: 'the token is none of Google: it must be signed with RS256' };
    const key = await keyOf(header['kid'], options);
    if (!key) return { status: 401, error: 'the token is signed by an unknown key' };
    const signed = new TextEncoder().encode(`${head}.${body}`);
    const imported = await crypto.subtle.importKey('jwk', { ...key, alg: 'RS256', ext: true }, RSA, false, ['verify']);
    if (!(await crypto.subtle.verify(RSA, imported, Buffer.from(signature, 'base64url'), signed))) {
      return { status: 401, error: "the token's signature does not hold" };
    }
    return claimed(claims, options);
  };
}

function claimed(claims: Record<string, unknown>, { audience, email, clock }: OidcOptions): Refusal | undefined {
  const now = clock.now() / 1000;
  const { iss, aud, exp, iat } = claims;
  if (!ISSUERS.has(iss)) return { status: 401, error: 'the token was issued by somebody else than Google' };
  if (!(typeof exp === 'number' && exp > now - LEEWAY)) return { status: 401, error: 'the token has expired' };
  if (!(typeof iat === 'number' && iat < now + LEEWAY)) return { status: 401, error: 'the token is from the future' };
  if (aud !== audience) return { status: 403, error: `the token is for another audience than ${audience}` };
  if (claims['email'] !== email || claims['email_verified'] !== true) {
    return { status: 403, error: 'the token is of another account than the one that pushes work here' };
  }
  return undefined;
}

/** Keys are asked for again for one that is not known: they change. */
async function keyOf(kid: unknown, { keys }: OidcOptions): Promise<SigningKey | undefined> {
  for (const again of [false, true]) {
    const found = (await keys(again)).find((key) => key.kid === kid && key.kty === 'RSA');
    if (found) return { kid: found.kid, kty: found.kty, n: found.n, e: found.e };
  }
  return undefined;
}

function parse(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
