import { hash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ServeError } from './errors.js';

/** Tells whether the value of an `authorization` header is one that may pass. */
export type Authorize = (authorization: string | undefined) => boolean;

/** Characters of a bearer token (RFC 6750, section 2.1). */
const TOKEN = /^[\w\-.~+/]+=*$/;

/**
 * The tokens in a file: one a line, so that a new one can be handed out before the old one goes. Read once, at the start.
 * `ERR_BAD_TOKEN_FILE` when it cannot be read, holds none, or holds what no client could send.
 */
export function readBearerTokens(path: string): Authorize {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ServeError('ERR_BAD_TOKEN_FILE', `cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  const tokens = text.split(/\r?\n/).map((line) => line.trim());
  const given = tokens.filter((line) => line !== '');
  if (given.length === 0) throw new ServeError('ERR_BAD_TOKEN_FILE', `${path} is empty; write the token into it`);
  const bad = tokens.findIndex((line) => line !== '' && !TOKEN.test(line));
  if (bad >= 0) {
    // The line itself may be a secret.
    const message = `line ${bad + 1} of ${path} is no bearer token: letters, digits and -._~+/ only, without spaces`;
    throw new ServeError('ERR_BAD_TOKEN_FILE', message);
  }
  return authorizer(given);
}

/** Compares digests of equal length with every token: how long it takes says nothing about any of them. */
export function authorizer(tokens: readonly string[]): Authorize {
  const digests = tokens.map(digestOf);
  return (authorization) => {
    if (authorization === undefined || !/^bearer /i.test(authorization)) return false;
    const given = digestOf(authorization.slice('bearer '.length).trim());
    return digests.reduce((known, digest) => timingSafeEqual(digest, given) || known, false);
  };
}

function digestOf(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}
