import { HttpError } from './errors.js';
import { originOf, type Transport, type TransportRequest } from './transport.js';

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
      const location = response.headers['location'];
      if (!REDIRECTS.has(response.status) || location === undefined || next.method === 'POST') return response;
      next = follow(next, location);
    }
    throw new HttpError('ERR_TOO_MANY_REDIRECTS', `${request.url}: more than ${limit} redirects`);
  };
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
