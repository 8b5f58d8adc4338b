/** @module Cloudflare bindings of the core. The Durable Objects have an entry of their own, `./objects`: they load nowhere else. */
export type { Bindings } from './bindings.js';
