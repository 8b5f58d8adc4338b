/** @module Transport seam, undici-like client, retry, redirects and the governor. */
export { BaseHTTPClient, type BaseHTTPClientOptions, type RequestOptions } from './base-http-client.js';
export { classify, isHtml, type Verdict } from './classify.js';
export {
  type Codec,
  collect,
  concat,
  damaged,
  type Effort,
  LARGE_BODY_BYTES,
  MAX_DECODED_BYTES,
  parseEncoding,
  release,
  tooLarge,
  unpacked,
  webCodec,
} from './encoding.js';
export { aborted, HttpError, type HttpErrorCode } from './errors.js';
export { type Budget, Governor, type GovernorOptions, type GovernorState, unlimitedBudget } from './governor.js';
export { withRedirects } from './redirect.js';
export { RegistryResponse } from './response.js';
export { type RetryOptions, withRetry } from './retry.js';
export { parseRetryAfter, RETRY_AFTER_FLOOR_MS } from './retry-after.js';
export {
  classifyHead,
  closeBody,
  type StreamingRedirectOptions,
  type StreamingResponse,
  type StreamingTransport,
  withStreamingRedirects,
  withStreamingRetry,
} from './streaming.js';
export {
  type Clock,
  type Encoding,
  originOf,
  type Transport,
  type TransportRequest,
  type TransportResponse,
} from './transport.js';
