import { type Codec, webCodec } from './encoding.js';
import { RegistryResponse } from './response.js';
import type { Transport, TransportRequest, TransportResponse } from './transport.js';

export interface BaseHTTPClientOptions {
  /** URL that every path is appended to, with or without a trailing slash. */
  origin: string;
  transport: Transport;
  codec?: Codec | undefined;
}

export interface RequestOptions {
  method?: 'GET' | 'HEAD' | 'POST';
  headers?: Record<string, string>;
  body?: Uint8Array;
  signal?: AbortSignal | undefined;
}

/** An undici-like client for one origin over any {@link Transport}. */
export class BaseHTTPClient {
  readonly origin: string;
  protected readonly transport: Transport;
  protected readonly codec: Codec;

  constructor({ origin, transport, codec }: BaseHTTPClientOptions) {
    this.origin = origin.endsWith('/') ? origin.slice(0, -1) : origin;
    this.transport = transport;
    this.codec = codec ?? webCodec;
  }

  /** The whole answer, decoded. Rejects with an `HttpError` when there was none; every status is an answer. */
  async request(path: string, options: RequestOptions = {}): Promise<RegistryResponse> {
    const response = await this.send(path, options);
    return new RegistryResponse(
      response.status,
      response.headers,
      await this.codec.decode(response.body, response.encoding),
    );
  }

  /** The answer as it came: body still coded. */
  protected send(path: string, options: RequestOptions = {}): Promise<TransportResponse> {
    const request: TransportRequest = { url: this.origin + (path.startsWith('/') ? path : `/${path}`), ...options };
    return this.transport(request);
  }
}
