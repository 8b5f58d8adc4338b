import { HttpError } from '@_all_docs/http';

const TIMEOUTS = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT']);

/** Header fields as undici gives them, in a transport's form. */
export function flatten(fields: Record<string, string | string[] | undefined>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (value !== undefined) headers[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}

/** An error of undici's in a transport's words. */
export function failure(url: string, error: Error): HttpError {
  if (error instanceof HttpError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const message = `${url}: ${error.message || code || error.name}`;
  if (code === 'UND_ERR_INVALID_ARG' || code === 'ERR_INVALID_URL') {
    return new HttpError('ERR_BAD_URL', message, { cause: error });
  }
  return new HttpError(TIMEOUTS.has(code) ? 'ERR_TIMEOUT' : 'ERR_FETCH_FAILED', message, { cause: error });
}
