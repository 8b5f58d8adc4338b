import { CacheError } from '@_all_docs/cache';
import { HttpError, type Transport, type TransportRequest } from '@_all_docs/http';

export interface CloudflareApiOptions {
  /** With retry, and at a pace that Cloudflare takes: 1,200 requests in five minutes. */
  transport: Transport;
  account: string;
  token: string;
  /** `https://api.cloudflare.com/client/v4` unless told. */
  url?: string | undefined;
}

/** A key of KV, as a listing gives it. */
export interface ListedKey {
  name: string;
  /** Epoch seconds. */
  expiration?: number | undefined;
  metadata?: unknown;
}

/** A value for KV: `value` in base64. */
export interface KvPair {
  key: string;
  value: string;
  base64: true;
  metadata: string;
}

export interface KeyPage {
  keys: ListedKey[];
  /** Where the next page begins; `undefined` after the last one. */
  cursor: string | undefined;
}

const PAGE = 1_000;

interface Reply<T> {
  success: boolean;
  errors?: { code: number; message: string }[];
  result: T;
  result_info?: { cursor?: string };
}

/** Workers KV by Cloudflare's REST API: what is done for many keys at once. */
export class CloudflareApi {
  readonly #options: CloudflareApiOptions;
  /** Requests so far. */
  requests = 0;

  constructor(options: CloudflareApiOptions) {
    this.#options = options;
  }

  /** Keys with their metadata, in the order of their bytes, 1,000 a page. `GET …/storage/kv/namespaces/{id}/keys` */
  async keys(namespace: string, prefix: string, cursor: string | undefined, signal?: AbortSignal): Promise<KeyPage> {
    const query = new URLSearchParams({ prefix, limit: String(PAGE), ...(cursor ? { cursor } : {}) });
    const reply = await this.#send<ListedKey[]>({ url: `${this.#path(namespace)}/keys?${query}`, signal });
    return { keys: reply.result, cursor: reply.result_info?.cursor || undefined };
  }

  /** Up to 10,000 pairs and 100 MB. Gives the keys that were not stored. `PUT …/bulk` */
  async put(namespace: string, body: Uint8Array, signal?: AbortSignal): Promise<string[]> {
    const url = `${this.#path(namespace)}/bulk`;
    const { result } = await this.#send<{ unsuccessful_keys?: string[] } | null>({ url, method: 'PUT', body, signal });
    return result?.unsuccessful_keys ?? [];
  }

  /** Up to 10,000 keys. `POST …/bulk/delete` */
  async delete(namespace: string, keys: readonly string[], signal?: AbortSignal): Promise<void> {
    const body = new TextEncoder().encode(JSON.stringify(keys));
    await this.#send({ url: `${this.#path(namespace)}/bulk/delete`, method: 'POST', body, signal });
  }

  #path(namespace: string): string {
    const { url = 'https://api.cloudflare.com/client/v4', account } = this.#options;
    return `${url.replace(/\/$/, '')}/accounts/${account}/storage/kv/namespaces/${namespace}`;
  }

  async #send<T>(request: TransportRequest): Promise<Reply<T>> {
    this.requests += 1;
    const headers = { authorization: `Bearer ${this.#options.token}`, 'content-type': 'application/json' };
    const { status, body } = await this.#options.transport({ ...request, headers });
    const reply = parse<T>(body);
    if (status === 200 && reply?.success) return reply;
    const why = reply?.errors?.map(({ message }) => message).join('; ') || `status ${status}`;
    if (status === 401 || status === 403) {
      throw new CacheError(
        'ERR_CACHE_UNWRITABLE',
        `Cloudflare refuses the token: ${why}; give one in CLOUDFLARE_API_TOKEN that may edit Workers KV of this account`,
      );
    }
    if (status === 404) throw new CacheError('ERR_NO_STORAGE', `Cloudflare knows no such account or namespace: ${why}`);
    throw new HttpError('ERR_FETCH_FAILED', `Cloudflare's API: ${why}`, { status });
  }
}

function parse<T>(body: Uint8Array): Reply<T> | undefined {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}
