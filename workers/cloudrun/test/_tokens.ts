import type { SigningKey } from '@_all_docs/worker-cloudrun';
import { createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';

export const AUDIENCE = 'https://service.example.test/work';
export const EMAIL = 'pusher@project.example.test';

/** A signer of tokens, as Google is one. */
export function createIssuer(kid = 'key-1') {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const { n, e } = publicKey.export({ format: 'jwk' }) as { n: string; e: string };
  const key: SigningKey = { kid, kty: 'RSA', n, e };
  return {
    key,
    token: (claims: object = {}, header: object = {}) => sign(privateKey, { alg: 'RS256', kid, ...header }, claims),
  };
}

function sign(privateKey: KeyObject, header: object, claims: object): string {
  const now = Math.floor(Date.now() / 1000);
  const all = {
    iss: 'https://accounts.google.com',
    aud: AUDIENCE,
    email: EMAIL,
    email_verified: true,
    iat: now,
    exp: now + 3600,
    ...claims,
  };
  const signed = [header, all].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${signed}.${createSign('RSA-SHA256').update(signed).sign(privateKey).toString('base64url')}`;
}
