/** How the bytes of a body are coded. It describes the bytes handed over, never the header they came with. */
export type Encoding = 'identity' | 'gzip' | 'br' | 'deflate' | 'zstd';

export interface TransportRequest {
  /** Absolute URL. A transport sends the path as written, without resolving dots: `@x%2f..` is a package. */
  url: string;
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT';
  headers?: Record<string, string>;
  body?: Uint8Array;
  signal?: AbortSignal | undefined;
}

export interface TransportResponse {
  status: number;
  /** Names in lower case; a repeated field is joined with `, `. */
  headers: Record<string, string>;
  /**
   * The whole body, as coded by `encoding`. A body that was cut on the way is an error, never a short array. A transport
   * may pack what it received plain, so that a large body is never held unpacked.
   */
  body: Uint8Array;
  encoding: Encoding;
}

/**
 * One exchange with one origin. Resolves with whatever status came back; rejects with an {@link HttpError}
 * (`ERR_FETCH_FAILED`, `ERR_TIMEOUT`, `ERR_ABORTED`, `ERR_TOO_LARGE`) when no whole answer came.
 * New behaviour (retry, pace, peers) is a wrapper of this same shape.
 */
export type Transport = (request: TransportRequest) => Promise<TransportResponse>;

/** Time as an argument: wall clock in milliseconds and a sleep that ends early, rejecting with `ERR_ABORTED`, on abort. */
export interface Clock {
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The host of a URL with its scheme and port, without any normalising of the path. */
export function originOf(url: string): string {
  const authority = url.indexOf('/', url.indexOf('://') + 3);
  return authority === -1 ? url : url.slice(0, authority);
}
