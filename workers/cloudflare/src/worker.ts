/** @module The worker that `wrangler deploy` puts in place. */
import type { Bindings } from './bindings.js';
import { createEnv } from './create-env.js';

export * from './objects.js';

export default {
  async fetch(_request, bindings, ctx): Promise<Response> {
    const { storage } = createEnv(bindings, ctx);
    return Response.json({ storage: typeof storage });
  },
} satisfies ExportedHandler<Bindings>;
