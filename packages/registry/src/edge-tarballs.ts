import { encodeOrigin, hex } from '@_all_docs/cache';
import { type ByteRange, Hash, IntegrityCheck, VERSION_PREFIX } from '@_all_docs/content';
import { integrityOf } from './dist-integrity.js';
import { addressed, addressIn } from './edge-blobs.js';
import type { ConfirmedDist, EdgeDocuments } from './edge-documents.js';
import { download, isMismatch } from './edge-download.js';
import type { EdgeEnv } from './edge-env.js';
import type { EdgeStore } from './edge-store.js';
import { RegistryError } from './errors.js';
import type { Settings } from './settings.js';
import type { OpenedTarball } from './tarball-answers.js';
import { described, streamOf } from './tarballs-body.js';
import { TarballHosts } from './tarballs-host.js';
import { askOrigin } from './tarballs-origin.js';

/** The index row of a tarball, as an entry: `v1:version:{origin}:{hex name}:{hex file}`. */
interface Row {
  /** Id of the blob's hash. */
  blob: string;
  size: number;
  /** Epoch milliseconds at which the registry last confirmed a document that lists it. */
  at: number;
  version: string;
  /** The bytes were found to match it. */
  integrity?: string | undefined;
  /** Put there to stay, not pulled through. */
  pinned?: boolean | undefined;
}

export interface EdgeTarballsParts {
  settings: Settings;
  store: EdgeStore;
  documents: EdgeDocuments;
  allowedHosts: readonly string[] | undefined;
}

/** Tarballs at the edge: found by their row, whose blob is sent as it lies; else fetched, checked on the way, and kept. */
export class EdgeTarballs {
  readonly #env: EdgeEnv;
  readonly #parts: EdgeTarballsParts;
  readonly #hosts: TarballHosts;
  readonly #prefix: string;

  constructor(env: EdgeEnv, parts: EdgeTarballsParts) {
    this.#env = env;
    this.#parts = parts;
    this.#hosts = new TarballHosts(env.registry, parts.allowedHosts);
    this.#prefix = `${VERSION_PREFIX}${encodeOrigin(env.registry)}:`;
  }

  /**
   * The tarball; `undefined` when the document lists no such file. What is not held is asked for when its bytes are, which
   * then rejects with the trouble there was: `ERR_NOT_FOUND`, `ERR_FORBIDDEN_HOST`, `ERR_OFFLINE`.
   */
  async open(name: string, file: string): Promise<OpenedTarball | undefined> {
    const { store, documents } = this.#parts;
    const key = `${this.#prefix}${hex(name)}:${hex(file)}`;
    const entry = await store.read(key);
    const row = entry && (JSON.parse(new TextDecoder().decode(entry.body)) as Row);
    if (row && !(await store.isRemoved(name, row.at))) {
      if (this.#isOld(row)) store.behind(file, this.#confirm(key, name, file, row));
      return this.#atRest(key, name, file, row);
    }
    const dist = row ? await this.#confirm(key, name, file, row) : await documents.distOf(name, file);
    if (!dist) return undefined;
    if (row && row.integrity === integrityOf(dist)) return this.#atRest(key, name, file, row);
    const stream = () => this.#fetch(key, file, dist);
    return { size: undefined, ...described(integrityOf(dist)), bytes: undefined, stream };
  }

  #atRest(key: string, name: string, file: string, { blob, size, integrity }: Row): OpenedTarball {
    const stream = async (range?: ByteRange): Promise<ReadableStream<Uint8Array>> => {
      const bytes = await this.#env.blobs.read(Hash.parse(blob).path, range);
      if (bytes) return streamOf(bytes);
      // A row whose blob is gone: the origin can mend that.
      this.#env.logger?.warn?.('a stored tarball is gone', { key });
      const dist = await this.#parts.documents.distOf(name, file);
      if (!dist || integrityOf(dist) !== integrity)
        throw new RegistryError('ERR_CHANGED', `${file} has changed; try again`);
      const whole = await this.#fetch(key, file, dist);
      if (!range) return whole;
      await whole.cancel();
      throw new RegistryError('ERR_BUSY', `${file} is being fetched; try again`, { retryAfter: 1 });
    };
    return { size, ...described(integrity), bytes: undefined, stream };
  }

  /** From the origin, and into the store. One that is not what its document says is fetched once more behind: a cache on the way may be at fault. */
  async #fetch(key: string, file: string, dist: ConfirmedDist, again = false): Promise<ReadableStream<Uint8Array>> {
    const { settings, store } = this.#parts;
    if (settings.offline) throw new RegistryError('ERR_OFFLINE', `the replica is offline and does not hold ${file}`);
    const { streaming, hashers, blobs } = this.#env;
    const response = await askOrigin(streaming, this.#hosts, dist.tarball, again);
    if (!response) throw new RegistryError('ERR_NOT_FOUND', 'Not found');
    const integrity = integrityOf(dist);
    const check = await IntegrityCheck.create(
      { integrity },
      { address: 'sha512', create: (name) => hashers.create(name) },
    );
    const length = response.headers['content-length'] ?? '';
    const { body, over } = download(
      response.body,
      /^\d+$/.test(length) ? Number(length) : undefined,
      check,
      async (source) => {
        const hash = await addressed(source, addressIn(integrity), hashers, (path, pieces) =>
          blobs.write(path, pieces),
        );
        await this.#write(key, { blob: hash.id, size: check.length, at: dist.at, version: dist.version, integrity });
      },
    );
    const landed = over.then(async ({ error, storeError }) => {
      if (storeError !== undefined) throw storeError;
      if (!isMismatch(error)) return;
      this.#env.logger?.warn?.('a tarball is not what its document says', { file, error: String(error), again });
      if (!again) await (await this.#fetch(key, file, dist, true)).cancel();
    });
    store.behind(file, landed);
    return body;
  }

  async #write(key: string, row: Row): Promise<void> {
    const storedAt = this.#env.clock.now();
    const body = new TextEncoder().encode(JSON.stringify(row));
    const expiresAt = row.pinned ? undefined : this.#parts.store.expiry();
    await this.#parts.store.write(key, {
      body,
      metadata: { storedAt, encoding: 'identity', size: body.length, expiresAt },
    });
  }

  /** Where the feed is not followed, only the document tells whether a version is still there. */
  #isOld({ at }: Row): boolean {
    const { offline, maxAgeMs } = this.#parts.settings;
    return !this.#env.removals && !offline && this.#env.clock.now() - at > maxAgeMs;
  }

  /** What the document says of it now; the row goes when it says nothing any more. */
  async #confirm(key: string, name: string, file: string, row: Row): Promise<ConfirmedDist | undefined> {
    const { documents, store } = this.#parts;
    const dist = await documents.distOf(name, file);
    if (!dist) await (await store.driver()).delete(key);
    else if (row.integrity === integrityOf(dist)) await this.#write(key, { ...row, at: dist.at });
    return dist;
  }
}
