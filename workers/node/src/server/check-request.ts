import type { IncomingMessage } from 'node:http';
import type { Problem } from './problem.js';

/** What is wrong with a request before anybody looks at what it asks for; `undefined` when nothing is. */
export function checkRequest(incoming: IncomingMessage, targetLength: number): Problem | undefined {
  const { method, url = '', httpVersion } = incoming;
  if (url.length > targetLength) {
    return { status: 414, code: 'ERR_TARGET_TOO_LONG', error: `the URL has more than ${targetLength} characters` };
  }
  const hosts = countHosts(incoming.rawHeaders);
  if (hosts > 1 || (hosts === 0 && httpVersion === '1.1')) {
    // RFC 9112, section 3.2: a server MUST answer 400 to both.
    return {
      status: 400,
      code: 'ERR_BAD_HOST',
      error: `the request has ${hosts === 0 ? 'no' : 'more than one'} Host header`,
    };
  }
  // `fetch` knows no such requests, and nobody has a use for them here.
  if (method === 'TRACE') return notAllowed(`${method} is not allowed`);
  return undefined;
}

function countHosts(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') count += 1;
  }
  return count;
}

/** 405 for what this server never does. */
export function notAllowed(error: string): Problem {
  return { status: 405, code: 'ERR_METHOD_NOT_ALLOWED', error, headers: ['allow', 'GET, HEAD'] };
}
