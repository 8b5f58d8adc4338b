import { CacheError, encodeOrigin, hex, type OrderedStore } from '@_all_docs/cache';
import { BlobIndex, ContentError, Hash, type Linkable, type Store, VERSION_PREFIX } from '@_all_docs/content';
import type { Clock, StreamingResponse, StreamingTransport } from '@_all_docs/http';
import { integrityOf } from './dist-integrity.js';
import { RegistryError } from './errors.js';
import { Flight } from './flight.js';
import type { SingleFlight } from './single-flight.js';
import { atRest, onItsWay, type Tarball } from './tarballs-body.js';
import { TarballHosts } from './tarballs-host.js';
import { askOrigin } from './tarballs-origin.js';
import type { Dist, RegistryLogger } from './types.js';

/** What others who keep their blobs in the same place have stored. Its trouble costs the sharing, not the work. */
export interface SharedTarballs {
  /** The blob with that integrity, held for us from now on; `undefined` on a miss. */
  find(integrity: string): Promise<Linkable | undefined>;
  /** Tells the others of a blob that was found to have that integrity. */
  publish(integrity: string, blob: Linkable): Promise<void>;
}

/** The part of an environment that tarballs need. */
export interface TarballsEnv {
  registry: string;
  streaming: StreamingTransport;
  blobs: Store;
  ordered: OrderedStore;
  clock: Pick<Clock, 'now' | 'sleep'>;
  /** How far a download is shared; within this process unless told. */
  flight?: SingleFlight | undefined;
  /** Others' tarballs; nobody's unless told. */
  shared?: SharedTarballs | undefined;
  waitUntil?: ((promise: Promise<unknown>) => void) | undefined;
  logger?: RegistryLogger | undefined;
}

export interface TarballsOptions {
  env: TarballsEnv;
  /** What the document says of a file; `undefined` for a file that is no version's. Rejects where the document cannot be had. */
  distOf(name: string, file: string): Promise<Dist | undefined>;
  /** Hosts besides the registry's own that may be asked. */
  allowedHosts?: readonly string[] | undefined;
  /** Never ask the origin. */
  offline?: boolean | undefined;
  /** Hears of every use of what is kept: `ExpiryManager.touch`. */
  touch?: ((indexKey: string) => void) | undefined;
  /** Most bytes of one download that are held for its readers; 8 MiB unless told. */
  windowBytes?: number | undefined;
}

/** What tarballs did since the start. */
export interface TarballsStats {
  /** Answered from the store. */
  hits: number;
  /** Taken over from others who had stored them. */
  adopted: number;
  /** Downloads begun, and clients that joined one that was under way. */
  fetched: number;
  joined: number;
  /** Downloads whose content was not what the document says; each once more begun anew. */
  mismatched: number;
  /** Downloads that broke. */
  failed: number;
  /** Tarballs of a document's that the origin said it does not have. */
  absent: number;
  /** Right, but not kept, because the store was in trouble. */
  unkept: number;
  /** Rows whose blob was gone, damaged or unreadable: fetched again. */
  lost: number;
  inFlight: number;
  /** Bytes of downloads under way that are held in memory for their readers. */
  heldBytes: number;
}

/** `v1:version:{origin}:{hex name}:{hex file}` beside what every index row has. */
interface VersionRow {
  version: string;
  /** What the document said when it was fetched; the bytes were found to match it. */
  integrity?: string | undefined;
}

const MOST_MISSING = 10_000;
/** Of downloads that wait for the store: more, and clients wait for it too. */
const MOST_HELD_BYTES = 16 * 1024 * 1024;

/**
 * Tarballs by package and file: from the store, else pulled through it. A tarball is kept only when its bytes are what
 * the document says, and fetched once however many ask for it.
 */
export class Tarballs {
  /** Tarballs that were asked for and are not held, offline: `name/-/file`, each once. */
  readonly missing = new Set<string>();
  readonly index: BlobIndex;
  readonly #env: TarballsEnv;
  readonly #options: TarballsOptions;
  readonly #hosts: TarballHosts;
  readonly #prefix: string;
  readonly #flights = new Map<string, Promise<Flight | Tarball>>();
  readonly #airborne = new Set<Flight>();
  readonly #counts = {
    hits: 0,
    adopted: 0,
    fetched: 0,
    joined: 0,
    mismatched: 0,
    failed: 0,
    absent: 0,
    unkept: 0,
    lost: 0,
  };

  constructor(options: TarballsOptions) {
    const { env, allowedHosts } = options;
    this.#env = env;
    this.#options = options;
    this.#hosts = new TarballHosts(env.registry, allowedHosts);
    this.#prefix = `${VERSION_PREFIX}${encodeOrigin(env.registry)}:`;
    this.index = new BlobIndex({ ordered: env.ordered, store: env.blobs, clock: env.clock });
  }

  /** The key of a tarball's index row. */
  keyOf(name: string, file: string): string {
    return `${this.#prefix}${hex(name)}:${hex(file)}`;
  }

  stats(): TarballsStats {
    return { ...this.#counts, inFlight: this.#flights.size, heldBytes: this.#heldBytes() };
  }

  /**
   * The tarball; `undefined` when the document lists no such file, or the origin says that it has none. Resolves when
   * the first byte can be sent. `ERR_FORBIDDEN_HOST` when the document names a host that may not be asked, `ERR_OFFLINE`
   * when it is not held, and the `HttpError` of an origin that gives no answer.
   */
  async open(name: string, file: string): Promise<Tarball | undefined> {
    const key = this.keyOf(name, file);
    let dist: Dist | undefined;
    try {
      dist = await this.#options.distOf(name, file);
    } catch (error) {
      // The version may have been removed: its document has to say that it was not.
      if (error instanceof RegistryError && error.code === 'ERR_CHANGED') throw error;
      // What is kept was found to be right when it came: it can be had without its document, too.
      const kept = await this.#kept(key);
      if (kept) return this.#hit(key, kept);
      throw error;
    }
    if (!dist) return undefined;
    const kept = await this.#kept(key, dist);
    if (kept) return this.#hit(key, kept);
    const flight = await this.#join(key, name, file, dist);
    if (!(flight instanceof Flight)) return this.#hit(key, flight);
    const departure = await flight.departed;
    return departure && onItsWay(flight.read.bind(flight), departure.size, integrityOf(dist));
  }

  /**
   * Sees to it that a tarball is kept, and pinned where asked: what is pinned is never evicted. `undefined` and errors as
   * with {@link open}, and `ERR_INTEGRITY` or the store's own error when it cannot be kept. `fetched` when it was not kept before.
   */
  async keep(
    name: string,
    file: string,
    { pin = false } = {},
  ): Promise<{ hash: Hash; size: number; fetched: boolean } | undefined> {
    const key = this.keyOf(name, file);
    const dist = await this.#options.distOf(name, file);
    if (!dist) return undefined;
    const fetched = !(await this.#isKept(key, dist));
    if (fetched) {
      const flight = await this.#join(key, name, file, dist);
      if (flight instanceof Flight) {
        if (!(await flight.departed)) return undefined;
        const { error, storeError } = await flight.landed;
        if (error !== undefined || storeError !== undefined) throw error ?? storeError;
      }
    }
    const row = await this.index.get<VersionRow>(key);
    if (!row) throw new CacheError('ERR_STORAGE_READ', `${name}/-/${file} was kept and is gone; ask again`);
    const blob = { hash: Hash.parse(row.blob), size: row.size, fetched };
    if (pin && !row.pinned)
      await this.index.link(key, { version: row.version, integrity: row.integrity }, blob, { pinned: true });
    return blob;
  }

  #heldBytes(): number {
    let bytes = 0;
    for (const flight of this.#airborne) bytes += flight.heldBytes;
    return bytes;
  }

  #hit(key: string, tarball: Tarball): Tarball {
    this.#counts.hits += 1;
    this.#options.touch?.(key);
    return tarball;
  }

  /** What the store holds of it, if that is what the document says; `undefined` else, or when it is of no use. */
  async #kept(key: string, dist?: Dist): Promise<Tarball | undefined> {
    try {
      const row = await this.index.get<VersionRow>(key);
      if (!row || (dist && row.integrity !== integrityOf(dist))) return undefined;
      const blob = await this.#env.blobs.get(Hash.parse(row.blob));
      if (blob) return await atRest(blob, row.integrity);
      this.#counts.lost += 1;
      return undefined;
    } catch (error) {
      // The origin can mend a store that lost something; without it the trouble is the answer.
      const isDamage = error instanceof ContentError;
      if (!isDamage && (this.#options.offline || !(error instanceof CacheError))) throw error;
      this.#counts.lost += 1;
      this.#env.logger?.warn?.('a stored tarball cannot be used', { key, error: String(error) });
      return undefined;
    }
  }

  async #isKept(key: string, dist: Dist): Promise<boolean> {
    const row = await this.index.get<VersionRow>(key);
    return row !== undefined && row.integrity === integrityOf(dist) && this.#env.blobs.has(Hash.parse(row.blob));
  }

  /** What somebody else stored, linked here; `undefined` when nobody did, or when it is of no use. */
  async #adopted(key: string, dist: Dist): Promise<Tarball | undefined> {
    const integrity = integrityOf(dist);
    if (!this.#env.shared || integrity === undefined) return undefined;
    try {
      const blob = await this.#env.shared.find(integrity);
      if (!blob) return undefined;
      await this.index.link(key, { version: dist.version, integrity } satisfies VersionRow, blob);
    } catch (error) {
      if (!(error instanceof CacheError)) throw error;
      this.#env.logger?.warn?.('what others stored cannot be looked up', { key, error: String(error) });
      return undefined;
    }
    this.#counts.adopted += 1;
    return this.#kept(key, dist);
  }

  async #publish(integrity: string, blob: Linkable): Promise<void> {
    try {
      await this.#env.shared?.publish(integrity, blob);
    } catch (error) {
      this.#env.logger?.warn?.('others cannot be told of a tarball', { integrity, error: String(error) });
    }
  }

  /** The download of it: the one that is under way, or a new one. */
  #join(key: string, name: string, file: string, dist: Dist): Promise<Flight | Tarball> {
    const wanted = wantedOf(key, dist);
    const underWay = this.#flights.get(wanted);
    if (underWay) {
      this.#counts.joined += 1;
      return underWay;
    }
    if (this.#options.offline && !this.#env.shared) return Promise.reject(this.#offline(name, file));
    const { promise, resolve, reject } = Promise.withResolvers<Flight | Tarball>();
    this.#flights.set(wanted, promise);
    const download = async () => {
      // Looked for once more: between the first look and now a download of it may have ended, here or elsewhere.
      const kept = (await this.#kept(key, dist)) ?? (await this.#adopted(key, dist));
      if (kept) {
        this.#flights.delete(wanted);
        return resolve(kept);
      }
      if (this.#options.offline) throw this.#offline(name, file);
      const flight = this.#fly(key, name, file, dist);
      resolve(flight);
      await flight.landed;
    };
    this.#share(`tarball:${wanted}`, download).catch((error) => {
      this.#flights.delete(wanted);
      reject(error);
    });
    return promise;
  }

  /** Does the work itself: what is shared may be a download that has landed, and is only giving back its lease. */
  async #share(key: string, work: () => Promise<void>): Promise<void> {
    const { flight = (_key, work) => work() } = this.#env;
    for (let isMine = false; !isMine; ) {
      await flight(key, () => {
        isMine = true;
        return work();
      });
    }
  }

  #fly(key: string, name: string, file: string, dist: Dist, again = false): Flight {
    const integrity = integrityOf(dist);
    this.#counts.fetched += 1;
    const flight = new Flight({
      ask: () => this.#ask(dist, again),
      store: this.#env.blobs,
      integrity,
      commit: async (stored) => {
        await this.index.link(key, { version: dist.version, integrity } satisfies VersionRow, stored);
        if (integrity !== undefined) await this.#publish(integrity, stored);
      },
      windowBytes: this.#options.windowBytes,
      isBehind: () => this.#heldBytes() > MOST_HELD_BYTES,
    });
    this.#airborne.add(flight);
    const over = flight.landed.then(({ error, storeError }) => {
      this.#airborne.delete(flight);
      this.#flights.delete(wantedOf(key, dist));
      if (storeError !== undefined) this.#unkept(name, file, storeError);
      if (error === undefined) return;
      if (!isMismatch(error)) this.#counts.failed += 1;
      else this.#mismatched(key, name, file, dist, error, again);
    });
    this.#env.waitUntil?.(over);
    return flight;
  }

  /** Counted, and fetched once more behind: a cache between us and the origin may be at fault. */
  #mismatched(key: string, name: string, file: string, dist: Dist, error: Error, again: boolean): void {
    this.#counts.mismatched += 1;
    this.#env.logger?.warn?.('a tarball is not what its document says', { name, file, error: error.message, again });
    if (!again) this.#flights.set(wantedOf(key, dist), Promise.resolve(this.#fly(key, name, file, dist, true)));
  }

  #unkept(name: string, file: string, error: unknown): void {
    this.#counts.unkept += 1;
    this.#env.logger?.error?.('a tarball could not be kept', { name, file, error: String(error) });
  }

  async #ask({ tarball }: Dist, again: boolean): Promise<StreamingResponse | undefined> {
    const response = await askOrigin(this.#env.streaming, this.#hosts, tarball, again);
    if (!response) this.#counts.absent += 1;
    return response;
  }

  #offline(name: string, file: string): RegistryError {
    const what = `${name}/-/${file}`;
    if (!this.missing.has(what) && this.missing.size < MOST_MISSING) {
      this.missing.add(what);
      this.#env.logger?.warn?.('asked for offline, and not held', { tarball: what });
    }
    return new RegistryError('ERR_OFFLINE', `${what} is not held, and this registry is offline`);
  }
}

/** What a download is under way for: the document may have changed its mind since. */
function wantedOf(key: string, dist: Dist): string {
  return `${key} ${integrityOf(dist)}`;
}

function isMismatch(error: unknown): error is ContentError {
  return error instanceof ContentError && error.code === 'ERR_INTEGRITY';
}
