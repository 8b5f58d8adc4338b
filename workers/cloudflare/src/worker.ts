/** @module The worker that `wrangler deploy` puts in place. */
import type { Bindings } from './bindings.js';

export * from './objects.js';

export default {
  async fetch(): Promise<Response> {
    return Response.json({});
  },
} satisfies ExportedHandler<Bindings>;
