import type { Readable } from 'node:stream';
import type { FaultRule } from './fault-rule.ts';
import type { LagRule } from './lag.ts';

/** What a request asks for, as far as its path tells. `control` is the fake's own steering, not origin traffic. */
export type RequestKind = 'root' | 'allDocs' | 'changes' | 'packument' | 'tarball' | 'control' | 'other';

/**
 * How a name leaves:
 * - `deleted`: off the list, a `deleted: true` row, 404.
 * - `unpublished`: off the list, an ordinary row, a 200 stub with `time.unpublished`.
 * - `placeholder`: stays listed, an ordinary row, one version 0.0.1-security by npm.
 * - `404`: stays listed, an ordinary row, 404.
 * - `version`: the package stays, its latest version goes: an ordinary row, the version's date stays in `time`, its tarball
 *   is 404. Not for a package with one version.
 * - `silent`: off the list, no row at all, 404.
 */
export type RemovalKind = (typeof REMOVALS)[number];

export const REMOVALS = ['deleted', 'unpublished', 'placeholder', '404', 'version', 'silent'] as const;

export type Form = 'full' | 'abbreviated';

export interface FakeOriginOptions {
  /** Live names at the start, exactly. */
  packages: number;
  seed: number;
  /** 0: a free one. */
  port?: number;
  faults?: readonly FaultRule[];
  /** Waited before every answer but the control ones. */
  latencyMs?: number;
  /** `long-tail`: median 5 KB, p90 50 KB, p99 400 KB. `small`: all under about 3 KB. */
  sizes?: 'long-tail' | 'small';
  /** The most rows a page may ask for; 10,000. */
  pageLimit?: number;
  /**
   * `pool`: a tarball is one of a few, whatever its name, so digests cost nothing. `named`: package.json in it
   * has the right name and version (for clients that check); rendering large documents is then slow.
   */
  tarballs?: 'pool' | 'named';
  /** About how many bytes each tarball has, where more than it has anyway. */
  tarballBytes?: number;
  /** `real`: signed with the key that `/-/npm/v1/keys` lists, which makes large documents slow; `noise`, the default: shaped like it. */
  signatures?: 'noise' | 'real';
  /** Versions have attestations (whose signatures are noise); no. */
  attestations?: boolean;
  /** Changed documents are answered as they were, for so many requests or ms; no. */
  lag?: LagRule;
  /** Gzip bodies kept in memory; 256 MB. */
  cacheBytes?: number;
}

/** What the world knows of one document. */
export interface Doc {
  id: number;
  name: string;
  /** How often it was changed since the start. */
  generation: number;
  /** How many of those changes added a version. */
  added: number;
  /** Places of the versions that were taken away. */
  withdrawn?: readonly number[];
  removed?: Exclude<RemovalKind, 'version'>;
}

export interface NameCount {
  /** Packument requests for the name. */
  asked: number;
  /** Of these, answered 200 or 304, whole. */
  served: number;
}

export interface Stats {
  /** All but control requests. */
  requests: number;
  byKind: Record<RequestKind, number>;
  byStatus: Record<number, number>;
  /** Faults done, by kind. */
  faults: Record<string, number>;
  notModified: number;
  maxInFlight: number;
  /** Body bytes handed to sockets. */
  bytes: number;
  perName: { get(name: string): NameCount; entries(): Iterable<[string, NameCount]> };
}

/** A response before it is sent; `body` is null for 304. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer | null;
  /** In place of a body too large to hold: called when it is sent. */
  stream?: () => Readable;
}
