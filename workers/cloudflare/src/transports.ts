import { withRedirects } from '@_all_docs/http';
import { createFetchStreaming, createFetchTransport } from './fetch-transport.js';

const options = { userAgent: '_all_docs (+npm:@_all_docs/worker-cloudflare)' };

/** The ways to the registry: for documents, and for what arrives while it is read. */
export const transport = /* @__PURE__ */ withRedirects(createFetchTransport(options));
export const streaming = /* @__PURE__ */ createFetchStreaming(options);
