import { STATUS_CODES } from './node-http.js';

/** An error as an npm client reads it: `error` is what it shows, `code` is for programs. */
export interface Problem {
  status: number;
  code: string;
  error: string;
  /** Further headers: name, value, name, value …. */
  headers?: readonly string[];
}

export function problemBody({ code, error }: Problem): Buffer {
  return Buffer.from(JSON.stringify({ code, error }));
}

export function problemHeaders(problem: Problem, body: Uint8Array): string[] {
  const { headers = [] } = problem;
  return [
    'content-type',
    'application/json; charset=utf-8',
    'content-length',
    String(body.length),
    'cache-control',
    'no-store',
    ...headers,
  ];
}

/** The whole answer as text, for a connection whose request could not be read; it ends the connection. */
export function rawAnswer(problem: Problem): string {
  const body = problemBody(problem);
  const lines = [`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`, 'connection: close'];
  const headers = problemHeaders(problem, body);
  for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** What to tell a client whose bytes are no request, or come too slowly; by the error of node's parser. */
export function parseProblem(code: string | undefined): Problem {
  if (code === 'HPE_HEADER_OVERFLOW')
    return { status: 431, code: 'ERR_HEADERS_TOO_LARGE', error: 'the headers of the request are too large' };
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW')
    return { status: 413, code: 'ERR_TOO_LARGE', error: 'the extensions of a chunk are too large' };
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return { status: 408, code: 'ERR_TIMEOUT', error: 'the request did not arrive in time' };
  return { status: 400, code: 'ERR_BAD_REQUEST', error: `not a request of HTTP/1.1 (${code ?? 'unknown'})` };
}

/** For whoever comes without the token, or with another one. */
export const UNAUTHORIZED: Problem = {
  status: 401,
  code: 'ERR_UNAUTHORIZED',
  error: 'this registry asks for a token: set it as _authToken of its URL in your npm configuration',
  headers: ['www-authenticate', 'Bearer realm="_all_docs"'],
};

/** The only expectation that a request may have is 100-continue. */
export const UNKNOWN_EXPECTATION: Problem = {
  status: 417,
  code: 'ERR_EXPECTATION',
  error: 'only 100-continue may be expected',
};
