/**
 * An answer in the manner of undici, whole and decoded: `statusCode`, `headers`, `body`, and a synchronous `json()`.
 * `body` is identity bytes, whatever coding they travelled or are stored in.
 */
export class RegistryResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
  #json: unknown;

  constructor(statusCode: number, headers: Record<string, string>, body: Uint8Array) {
    this.statusCode = statusCode;
    this.headers = headers;
    this.body = body;
  }

  /** Whether the status is 2xx. */
  get ok(): boolean {
    return this.statusCode >= 200 && this.statusCode < 300;
  }

  text(): string {
    return new TextDecoder().decode(this.body);
  }

  /** The body as JSON, parsed once; throws a `SyntaxError` when it is not JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: documents of the registry have no fixed shape; callers may name one
  json<T = any>(): T {
    if (this.#json === undefined) this.#json = JSON.parse(this.text());
    return this.#json as T;
  }
}
