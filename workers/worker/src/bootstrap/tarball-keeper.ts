import type { OrderedStore } from '@_all_docs/cache';
import { ContentError, IntegrityCheck, integrityOfShasum, type Store } from '@_all_docs/content';
import type { StreamingTransport } from '@_all_docs/http';
import type { PackumentClient } from '@_all_docs/packument';
import { type Dist, readDists, Tarballs } from '@_all_docs/registry';
import { codeOf, WorkerError } from '../errors.js';
import type { Env } from '../interfaces.js';
import type { WantedVersion, WantedVersions } from './selection.js';

/** A tarball that is wanted: what the document says of it, and what else it must be. */
export interface WantedTarball {
  name: string;
  file: string;
  dist: Dist;
  integrity?: string | undefined;
}

export interface TarballKeeperOptions {
  env: Env & { streaming: StreamingTransport; blobs: Store };
  store: OrderedStore;
  packuments: PackumentClient;
  /** Only these versions; all of them where it is absent. */
  versions: WantedVersions | undefined;
  signal: AbortSignal;
}

/** Tries for a body that breaks. For one with wrong bytes it is two: the second goes past what caches on the way hold. */
const TRIES = 3;
const INTEGRITY_TRIES = 2;
/** Strongest first. */
const ALGORITHMS = ['sha512', 'sha384', 'sha256', 'sha1'];

/** The tarballs of held documents, kept and pinned. */
export class TarballKeeper {
  readonly #options: TarballKeeperOptions;
  readonly #tarballs: Tarballs;
  /** What the documents say of the tarballs under way. */
  readonly #dists = new Map<string, Dist>();

  constructor(options: TarballKeeperOptions) {
    const { env, store, signal } = options;
    this.#options = options;
    this.#tarballs = new Tarballs({
      env: {
        registry: env.registry,
        streaming: (request) => env.streaming({ ...request, signal }),
        blobs: env.blobs,
        ordered: store,
        clock: env.clock,
      },
      distOf: async (name, file) => this.#dists.get(pathOf({ name, file })),
      // Nobody reads them on their way.
      windowBytes: 0,
    });
  }

  /** Whether the document that is held has all the versions that are wanted of a package; never, where all are. */
  async isEnough(name: string): Promise<boolean> {
    const wanted = this.#options.versions?.get(name);
    if (!wanted) return false;
    const held = new Set([...((await this.#distsOf(name)) ?? [])].map(([, { version }]) => version));
    return wanted.every(({ version }) => held.has(version));
  }

  /**
   * The tarballs that are wanted of a package; none where it has no document, and an error in the place of each one that
   * the document does not have.
   */
  async wantedOf(name: string): Promise<(WantedTarball | WorkerError)[]> {
    const dists = await this.#distsOf(name);
    const { versions } = this.#options;
    if (!versions) return Array.from(dists ?? [], ([file, dist]) => ({ name, file, dist }));
    const byVersion = new Map(Array.from(dists ?? [], ([file, dist]) => [dist.version, { name, file, dist }]));
    return (versions.get(name) ?? []).map((wanted) => {
      const tarball = byVersion.get(wanted.version);
      return tarball ? { ...tarball, integrity: wanted.integrity } : noVersion(name, wanted);
    });
  }

  /**
   * Sees to it that a tarball is kept and pinned. `undefined` when the registry has a document of it, and no tarball:
   * `ERR_NO_TARBALL` where it is wanted by its version. Rejects as `Tarballs.keep` does, and with `ERR_INTEGRITY` when it is
   * not what else it must be.
   */
  async keep(tarball: WantedTarball): Promise<{ size: number; fetched: boolean } | undefined> {
    const { dist, integrity } = tarball;
    const agrees = integrity === undefined || haveHashInCommon(integrity, dist);
    if (agrees === false) throw mismatch(tarball, dist.integrity ?? dist.shasum);
    const path = pathOf(tarball);
    this.#dists.set(path, dist);
    try {
      const kept = await this.#keep(tarball);
      if (!kept && this.#options.versions) throw noTarball(tarball);
      if (kept && agrees === undefined) await this.#check(tarball, kept);
      return kept;
    } finally {
      this.#dists.delete(path);
    }
  }

  async #keep({ name, file }: WantedTarball): ReturnType<Tarballs['keep']> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#tarballs.keep(name, file, { pin: true });
      } catch (error) {
        if (tries >= triesFor(error)) throw error;
      }
    }
  }

  /** Where the document and the lockfile name no algorithm in common, the bytes tell. */
  async #check(tarball: WantedTarball, { hash }: { hash: Parameters<Store['get']>[0] }): Promise<void> {
    const { blobs } = this.#options.env;
    const check = await IntegrityCheck.create({ integrity: tarball.integrity }, blobs.hashers);
    const blob = await blobs.get(hash);
    for await (const piece of blob?.stream() ?? []) await check.update(piece);
    try {
      await check.end();
    } catch (error) {
      throw error instanceof ContentError ? mismatch(tarball, error.message) : error;
    }
  }

  /** What the held document says; fetched again when it is damaged. `undefined` when there is none. */
  async #distsOf(name: string): Promise<Map<string, Dist> | undefined> {
    const { packuments, signal, env } = this.#options;
    let entry = await packuments.held(name);
    if (!entry && (await packuments.heldMetadata(name))) {
      await packuments.fetch(name, { signal });
      entry = await packuments.held(name);
    }
    if (!entry) return undefined;
    try {
      return await readDists(name, entry, env.codec);
    } catch (cause) {
      throw new WorkerError('ERR_BAD_PACKUMENT', `the stored document of ${name} cannot be read: ${cause}`, { cause });
    }
  }
}

/** What a tarball is called in outcomes and errors. */
export function pathOf({ name, file }: Pick<WantedTarball, 'name' | 'file'>): string {
  return `${name}/-/${file}`;
}

function triesFor(error: unknown): number {
  const { status } = error as { status?: number };
  switch (codeOf(error)) {
    case 'ERR_INTEGRITY':
      return INTEGRITY_TRIES;
    case 'ERR_FETCH_FAILED':
    case 'ERR_TIMEOUT':
      // An answer without a tarball was asked for often enough below.
      return status === undefined ? TRIES : 1;
    default:
      return 1;
  }
}

function noVersion(name: string, { version }: WantedVersion): WorkerError {
  return new WorkerError(
    'ERR_NO_VERSION',
    `${name}@${version} is not in the registry's document of ${name}; it may have been removed, or be another registry's`,
  );
}

function noTarball({ name, dist }: WantedTarball): WorkerError {
  return new WorkerError('ERR_NO_TARBALL', `the registry has no tarball of ${name}@${dist.version} at ${dist.tarball}`);
}

function mismatch({ name, dist, integrity }: WantedTarball, found: string | undefined): WorkerError {
  return new WorkerError(
    'ERR_INTEGRITY',
    `${name}@${dist.version} is not what the lockfile says: it wants ${integrity}, the registry has ${found}; find out which of the two was changed`,
  );
}

/** Whether both name the same hash, by the strongest algorithm that both know; `undefined` where they have none in common. */
function haveHashInCommon(integrity: string, dist: Dist): boolean | undefined {
  const said = [dist.integrity, dist.shasum && integrityOfShasum(dist.shasum)].filter((text) => text).join(' ');
  for (const algorithm of ALGORITHMS) {
    const wanted = hashesOf(integrity, algorithm);
    const found = hashesOf(said, algorithm);
    if (wanted.length > 0 && found.length > 0) return wanted.some((hash) => found.includes(hash));
  }
  return undefined;
}

function hashesOf(integrity: string, algorithm: string): string[] {
  return integrity
    .split(/\s+/)
    .map((hash) => hash.replace(/\?.*$/s, ''))
    .filter((hash) => hash.startsWith(`${algorithm}-`));
}
