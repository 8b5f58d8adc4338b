import type { StorageEnv } from '@_all_docs/cache';
import type { BlobBackend, Hashers } from '@_all_docs/content';
import type { Clock, Codec, StreamingTransport, Transport } from '@_all_docs/http';
import type { SingleFlight } from './single-flight.js';
import type { RegistryLogger, RegistryOptions } from './types.js';

/** What the feed says of packages, as far as an edge knows it: stores there lag behind what is written to them. */
export interface Removals {
  /**
   * Whether a package was removed or changed after what is stored of it was stored. That is not shown then: the registry
   * is asked, past the caches on the way, and its trouble is the answer where it cannot be asked.
   */
  isRemoved(name: string, storedAt: number): boolean | Promise<boolean>;
}

/** What a host at the edge hands to the registry. */
export interface EdgeEnv extends StorageEnv {
  registry: string;
  transport: Transport;
  /** Tarballs are asked with it. */
  streaming: StreamingTransport;
  /** Tarballs are kept there. */
  blobs: BlobBackend;
  /** SHA-512 and SHA-1 as the host computes them. */
  hashers: Pick<Hashers, 'create'>;
  clock: Clock;
  codec?: Codec | undefined;
  removals?: Removals | undefined;
  /** Names of a listing, from one on in the order of their bytes: the search goes through them. Names of held documents without it. */
  names?: ((start: string) => AsyncIterable<string>) | undefined;
  /** How requests for the same thing share one work; each does its own unless told, since no request may wait for another one's there. */
  flight?: SingleFlight | undefined;
  /**
   * Whether this isolate is to renew something behind an answer that others nearby are about to renew too: the first one to
   * ask is told so, and for so many milliseconds nobody else. Each isolate decides for itself unless told.
   */
  claim?: ((what: string, ms: number) => Promise<boolean>) | undefined;
  waitUntil?: ((promise: Promise<unknown>) => void) | undefined;
  logger?: RegistryLogger | undefined;
}

export interface EdgeOptions
  extends Pick<
    RegistryOptions,
    | 'prefix'
    | 'form'
    | 'offline'
    | 'maxAgeMs'
    | 'notFoundMs'
    | 'patienceMs'
    | 'tarballHost'
    | 'publicUrl'
    | 'scheme'
    | 'allowedHosts'
    | 'cacheControl'
  > {
  /** How long what was pulled through stays after the registry last confirmed it, in milliseconds; 30 days unless told. What was pushed stays. */
  keepMs?: number | undefined;
}
