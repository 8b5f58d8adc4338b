import type { OrderedStore } from '@_all_docs/cache';
import type { Store } from '@_all_docs/content';
import type { Clock, Encoding, StreamingTransport } from '@_all_docs/http';
import type { PackumentEnv, PackumentForm } from '@_all_docs/packument';
import type { CheckedAndDerived, DeriveOptions } from './derive.js';
import type { SingleFlight } from './single-flight.js';
import type { SharedTarballs } from './tarballs.js';

/** Where the registry's log lines go; each method is optional. */
export interface RegistryLogger {
  info?(message: string, fields?: Record<string, unknown>): void;
  warn?(message: string, fields?: Record<string, unknown>): void;
  error?(message: string, fields?: Record<string, unknown>): void;
}

/** What is known of a package from the feed. */
export interface Announced {
  /** Its latest row; `undefined` where there is none. */
  change: { seq: number; rev: string | undefined; deleted: boolean } | undefined;
  /** Epoch milliseconds at which a list of names took the place of the rows from before it; `undefined` when none did yet. */
  clearedAt: number | undefined;
}

/** What a host hands to the registry. */
export interface RegistryEnv extends PackumentEnv {
  clock: Clock;
  /** Tarballs are asked with it. */
  streaming: StreamingTransport;
  /** Tarballs are kept there. */
  blobs: Store;
  /** Rows of the runtime: what was pulled through, what was derived, what the origin said is absent. */
  ordered: OrderedStore;
  /** The replication host whose listed names the search goes through; only held names without it. */
  origin?: string | undefined;
  /** What is known of a package from the feed, where it is followed. */
  announced?: ((name: string) => Promise<Announced | undefined>) | undefined;
  /** Uniform in [0, 1). */
  random?: (() => number) | undefined;
  /** How requests for the same thing share one work; within this registry unless told. */
  flight?: SingleFlight | undefined;
  /** Tarballs of others who keep theirs in the same place; nobody's unless told. */
  shared?: SharedTarballs | undefined;
  /** Keeps the runtime alive for work that outlives its request. */
  waitUntil?: ((promise: Promise<unknown>) => void) | undefined;
  logger?: RegistryLogger | undefined;
  /** Does what `deriveDocument` does somewhere else: on another thread, where the host has them. */
  derive?: ((source: Uint8Array, encoding: Encoding, options: DeriveOptions) => Promise<Uint8Array>) | undefined;
  /** As {@link derive}, for `checkAndDerive`; without it what has come is checked first, and derived when it is stored. */
  checkAndDerive?:
    | ((source: Uint8Array, encoding: Encoding, options: DeriveOptions) => Promise<CheckedAndDerived | undefined>)
    | undefined;
}

/**
 * Whose tarball URLs documents carry. `origin`: as the origin wrote them. `self`: ours. `auto`: as written for user
 * agents that begin with `npm/` (npm swaps the public registry's host for the configured one), ours for all others.
 */
export type TarballHost = 'auto' | 'self' | 'origin';

export interface RegistryOptions {
  /** Path under which npm's routes are answered, with slashes on both ends; `/npm/` unless told. */
  prefix?: string | undefined;
  /** Which form of documents is held and asked for; `full` unless told. */
  form?: PackumentForm | undefined;
  /** Never ask the origin. */
  offline?: boolean | undefined;
  /** How old a document may be before it is refreshed behind the answer, in milliseconds; five minutes unless told. */
  maxAgeMs?: number | undefined;
  /** How long the origin's word that a package is absent is kept, in milliseconds; one minute unless told. */
  notFoundMs?: number | undefined;
  /** How long a client waits for what is not held, in milliseconds; the fetch itself goes on. 60 s unless told. */
  patienceMs?: number | undefined;
  /** `auto` for the public npm registry and `self` for any other unless told: npm swaps no other host. */
  tarballHost?: TarballHost | undefined;
  /** URL at which clients reach this server, for our own tarball URLs; the request's Host header unless told. */
  publicUrl?: string | undefined;
  /** Scheme of our own URLs that are made from a Host header; `http` unless told. */
  scheme?: 'http' | 'https' | undefined;
  /** Hosts besides the registry's own that tarballs may be fetched from. */
  allowedHosts?: readonly string[] | undefined;
  /** Hears of every use of a kept tarball, by its index key: `ExpiryManager.touch`. */
  touch?: ((indexKey: string) => void) | undefined;
  /** Most bytes of derived documents that are kept; 1 GiB unless told. */
  derivedBytes?: number | undefined;
  /** Most bytes of documents that were pulled through; 10 GB unless told. What was bootstrapped does not count. */
  documentBytes?: number | undefined;
  /** Most bytes of answers in memory; 64 MiB unless told. */
  hotBytes?: number | undefined;
  /** `Cache-Control` of documents; `public, max-age=300` unless told, as the public registry has it. */
  cacheControl?: string | undefined;
}

/** What a document says of one tarball. */
export interface Dist {
  version: string;
  /** The tarball's URL as the origin wrote it. */
  tarball: string;
  /** Subresource-integrity string, where the document has one. */
  integrity?: string | undefined;
  /** SHA-1 in hex, where the document has one. */
  shasum?: string | undefined;
}

/** An answer that was ready: nobody may change it. */
export interface HotAnswer {
  readonly status: number;
  /** Flat: name, value, name, value; ready for `writeHead`. `date` and `connection` are the server's. */
  readonly headers: string[];
  /** `undefined` for an answer without a body. */
  readonly body: Uint8Array | undefined;
}
