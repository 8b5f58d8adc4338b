import {
  classifyHead,
  closeBody,
  HttpError,
  type StreamingResponse,
  type StreamingTransport,
  withStreamingRedirects,
} from '@_all_docs/http';
import type { TarballHosts } from './tarballs-host.js';

const ABSENT = new Set([404, 410, 451]);

/**
 * The origin's answer with a tarball in it; `undefined` where it says that there is none. `again` passes by what caches on
 * the way hold. `ERR_FORBIDDEN_HOST` for a URL, or a redirect, that may not be followed; the transport's `HttpError`, or
 * one with the status, when there is no tarball in the answer.
 */
export async function askOrigin(
  streaming: StreamingTransport,
  hosts: TarballHosts,
  tarball: string,
  again: boolean,
): Promise<StreamingResponse | undefined> {
  const url = hosts.resolve(tarball);
  const send = withStreamingRedirects(streaming, { check: (next) => void hosts.check(next) });
  const headers: Record<string, string> = { accept: '*/*', 'accept-encoding': 'identity' };
  if (again) headers['cache-control'] = 'no-cache';
  const response = await send({ url, headers });
  if (response.status === 200 && classifyHead(response) === 'ok') return response;
  await closeBody(response);
  if (ABSENT.has(response.status)) return undefined;
  throw noTarball(url, response);
}

function noTarball(url: string, { status, headers }: StreamingResponse): HttpError {
  if (status === 200) {
    return new HttpError('ERR_BLOCKED', `${url}: an HTML page (${headers['content-type']}) instead of a tarball`, {
      status,
    });
  }
  return new HttpError('ERR_FETCH_FAILED', `${url}: the origin answered ${status} instead of a tarball`, { status });
}
