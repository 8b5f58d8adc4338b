import type { OrderedStore, StorageDriver } from '@_all_docs/cache';
import type { Store } from '@_all_docs/content';
import type { Clock, Codec, Governor, StreamingTransport, Transport } from '@_all_docs/http';
import type { PackumentEnv } from '@_all_docs/packument';

/** Where log lines go; each method is optional. */
export interface Logger {
  debug?(message: string, fields?: Record<string, unknown>): void;
  info?(message: string, fields?: Record<string, unknown>): void;
  warn?(message: string, fields?: Record<string, unknown>): void;
  error?(message: string, fields?: Record<string, unknown>): void;
}

/** What a host hands in. Each client asks for the part that it uses; nothing looks around for more. */
export interface Env {
  /** The replication host: `/`, `_all_docs`, `_changes`. */
  origin: string;
  /** The registry: packuments and tarballs. */
  registry: string;
  storage: StorageDriver | (() => StorageDriver | Promise<StorageDriver>);
  transport: Transport;
  /** For tarballs: they are not held in memory. Follows no redirect by itself. */
  streaming?: StreamingTransport | undefined;
  /** Tarballs are kept there. */
  blobs?: Store | undefined;
  /** Rows of the runtime: index, checkpoints, cursors, leases. */
  ordered?: OrderedStore | undefined;
  queue?: WorkQueue | undefined;
  clock: Clock;
  /** Uniform in [0, 1). */
  random: () => number;
  codec?: Codec | undefined;
  /** Looks at documents from end to end off the main thread, where the host has threads. */
  check?: PackumentEnv['check'];
  /** Whether bytes are those of an integrity string, where the host is faster at it than WebCrypto. */
  matchesDigest?: ((body: Uint8Array, digest: string) => boolean | Promise<boolean>) | undefined;
  /** The requests of a month, where they are limited. */
  budget?: { readonly limit: number; used(): Promise<number> } | undefined;
  /** The pace-maker below `transport`, for those who report on it. */
  governor?: Governor | undefined;
  waitUntil?: ((promise: Promise<unknown>) => void) | undefined;
  logger?: Logger | undefined;
}

export type PartitionPayload = { startKey: string | null; endKey: string | null };
export type PackumentPayload = { name: string };

/** A unit of work as queues carry it: plain JSON. Priority 1 is the most urgent on every queue. */
export interface WorkItem<Payload = unknown> {
  type: string;
  id: string;
  payload: Payload;
  priority: number;
  /** Failed tries so far. */
  attempts: number;
}

/** How a work item ended. `error` is a message; `code` what callers branch on. */
export type WorkResult =
  | { success: true; rows?: number; bytes?: number; status?: number }
  | { success: false; error: string; code?: string | undefined };

/** An item that one worker holds until it is acknowledged or failed. */
export interface Lease {
  readonly id: string;
  readonly item: WorkItem;
}

export interface QueueSize {
  /** Enqueued and not yet leased, those waiting for another try included. */
  waiting: number;
  leased: number;
  /** Given up after the last try. */
  dead: number;
}

/** Work for many workers, delivered at least once. */
export interface WorkQueue {
  /** Resolves when the item is taken into keeping. An item whose id waits already is the same item. */
  enqueue(item: WorkItem): Promise<void>;
  /** The most urgent item at the queue's pace; `undefined` when none came within `waitMs` (0: do not wait for new work). */
  lease(options?: { waitMs?: number; signal?: AbortSignal }): Promise<Lease | undefined>;
  /** The item is done. */
  ack(lease: Lease): Promise<void>;
  /** The item is tried again later, up to three times in all with exponential pauses from 2,000 ms; then it is dead. */
  fail(lease: Lease, error: unknown): Promise<void>;
  size(): Promise<QueueSize>;
  close(): Promise<void>;
}

/** Tries and pauses of every queue. */
export const QUEUE_ATTEMPTS = 3;
export const QUEUE_BACKOFF_MS = 2_000;
