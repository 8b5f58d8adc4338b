import { HttpError } from './errors.js';
import { originOf, type Transport, type TransportRequest, type TransportResponse } from './transport.js';

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const SECRETS = new Set(['authorization', 'cookie', 'proxy-authorization', 'npm-otp']);

/**
 * A transport that follows up to `limit` redirects of GET and HEAD. Credentials stay with the host they were meant for,
 * and https never becomes http. `ERR_TOO_MANY_REDIRECTS` past the limit.
 */
export function withRedirects(transport: Transport, limit = 5): Transport {
  return async (request) => {
    let next = request;
    for (let hops = 0; hops <= limit; hops++) {
      const response = await transport(next);
      const following = redirected(next, response);
      if (!following) return response;
      next = following;
    }
    throw tooManyRedirects(request, limit);
  };
}

/** The request that an answer redirects to; `undefined` for any other answer. `ERR_BAD_URL` for one that is not followed. */
export function redirected(
  request: TransportRequest,
  { status, headers }: Pick<TransportResponse, 'status' | 'headers'>,
): TransportRequest | undefined {
  const location = headers['location'];
  if (!REDIRECTS.has(status) || location === undefined || request.method === 'POST' || request.method === 'PUT')
    return undefined;
  return follow(request, location);
}

export function tooManyRedirects({ url }: TransportRequest, limit: number): HttpError {
  return new HttpError('ERR_TOO_MANY_REDIRECTS', `${url}: more than ${limit} redirects`);
}

function follow(request: TransportRequest, location: string): TransportRequest {
  let url: URL;
  try {
    url = new URL(location, request.url);
  } catch (cause) {
    throw new HttpError('ERR_BAD_URL', `${request.url}: redirected to something that is not a URL`, { cause });
  }
  const downgrade = request.url.startsWith('https:') && url.protocol !== 'https:';
  if (downgrade || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new HttpError('ERR_BAD_URL', `${request.url}: refused a redirect to ${url.protocol}//`);
  }
  if (url.origin === originOf(request.url)) return { ...request, url: url.href };
  const headers = Object.entries(request.headers ?? {}).filter(([name]) => !SECRETS.has(name.toLowerCase()));
  return { ...request, url: url.href, headers: Object.fromEntries(headers) };
}
