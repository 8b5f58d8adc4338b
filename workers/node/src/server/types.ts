import type { Answer, AnswerRequest, HotAnswer } from '@_all_docs/registry';
import type { FollowStatus, Logger } from '@_all_docs/worker';
import type { IncomingMessage } from 'node:http';
import type { Authorize } from './bearer-tokens.js';
import type { Collect } from './operations.js';

/** Headers of a request by lower-case name; `undefined` when it was not sent. */
export type HeaderLookup = (name: string) => string | undefined;

/** What the server asks of a registry: `NpmRegistry` is one. */
export interface ServedRegistry {
  /** An answer that needs no I/O; `undefined` when there is none. Never waits. */
  hot(method: string, target: string, headers: HeaderLookup): HotAnswer | undefined;
  /** `target` is path and query as they came: with their dots and percent escapes. */
  answer(request: AnswerRequest, target: string): Promise<Answer>;
  /** Counters for `/metrics` and `/-/status.json`: numbers, and objects of numbers. */
  stats(): object;
}

/** Bounds on what a client may send or hold. All have defaults. */
export interface ServerLimits {
  /** All headers of a request together; 16 KiB. Beyond: 431. */
  headerBytes?: number | undefined;
  /** The request target; 8,192 characters. Beyond: 414. */
  targetLength?: number | undefined;
  /** The body of an audit request, as sent; 10 MiB. Beyond: 413. No other request's body is read. */
  bodyBytes?: number | undefined;
  /** From the first byte of a request to the end of its headers; 15 s. Beyond: 408. */
  headersMs?: number | undefined;
  /** From the first byte of a request to the end of its body; 60 s. Beyond: 408. */
  requestMs?: number | undefined;
  /** Silence on a connection while an answer is under way, as when a client does not read; 120 s. Beyond: closed. */
  stallMs?: number | undefined;
  /** How long a connection may idle between requests; 65 s, more than clients keep theirs. */
  keepAliveMs?: number | undefined;
  /** Open connections; 10,000. Further ones are closed at once, and counted. */
  connections?: number | undefined;
}

export interface CreateServerOptions {
  /** What is served. Given as a promise, the server listens meanwhile: it is alive, not ready, and requests wait. */
  registry: ServedRegistry | Promise<ServedRegistry>;
  limits?: ServerLimits | undefined;
  /** Who may ask; everybody unless told. `/health`, `/livez` and `/readyz` are always answered. */
  authorize?: Authorize | undefined;
  /** Failures are logged to it. */
  logger?: Logger | undefined;
  /** Log a line for each answer, too. */
  accessLog?: boolean | undefined;
  /** What each of those lines says besides. */
  logFields?: ((incoming: IncomingMessage) => Record<string, unknown>) | undefined;
  /** Gathers the counters of all processes that share the port; those of this server alone unless told. */
  collect?: Collect | undefined;
  /** What `/-/status.json` says of the settings. */
  about?: (() => object) | undefined;
  /** How true the replica is, for `/-/status.json` and `/metrics`; `undefined` where nobody can say. */
  feed?: (() => Promise<FollowStatus | undefined>) | undefined;
}
