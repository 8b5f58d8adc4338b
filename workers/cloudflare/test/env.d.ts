import type { Bindings } from '@_all_docs/worker-cloudflare';

declare global {
  namespace Cloudflare {
    interface Env extends Required<Bindings> {}
  }
}
