import type { Agent, Dispatcher } from 'undici';
import { createAgent } from '../undici-agent.js';

export interface ConnectionRequest {
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  headers: Record<string, string>;
  body?: Uint8Array | null | undefined;
}

const SETTINGS: Agent.Options = { connections: 128, headersTimeout: 30_000, bodyTimeout: 30_000 };

/** Kept-alive connections to an object store, made at the first request. Redirects are answers: nothing follows them. */
export class Connections {
  #agent: Promise<Dispatcher> | undefined;

  /** Resolves with the answer's head; its body must be read or dropped. Rejects when there is no answer. */
  async request(url: URL, { method, headers, body = null }: ConnectionRequest): Promise<Dispatcher.ResponseData> {
    this.#agent ??= createAgent(SETTINGS, process.env);
    const { default: request } = await import('undici/lib/api/api-request.js');
    return request.call(await this.#agent, {
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      headers,
      body,
    });
  }

  async close(): Promise<void> {
    await (await this.#agent)?.destroy();
  }
}
