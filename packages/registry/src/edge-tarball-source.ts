import { type ByteRange, IntegrityCheck } from '@_all_docs/content';
import { integrityOf } from './dist-integrity.js';
import { addressed, addressIn } from './edge-blobs.js';
import { download, isMismatch } from './edge-download.js';
import type { EdgeEnv } from './edge-env.js';
import type { ConfirmedDist, EdgeSources } from './edge-sources.js';
import type { EdgeStore } from './edge-store.js';
import type { TarballPlace, TarballRow } from './edge-tarballs.js';
import { RegistryError } from './errors.js';
import type { Settings } from './settings.js';
import type { OpenedTarball } from './tarball-answers.js';
import { described } from './tarballs-body.js';
import { TarballHosts } from './tarballs-host.js';
import { askOrigin } from './tarballs-origin.js';

export interface EdgeTarballSourceParts {
  settings: Settings;
  store: EdgeStore;
  sources: EdgeSources;
  allowedHosts: readonly string[] | undefined;
}

/** Where tarballs come from at the edge: fetched, checked on their way to the one who asked, and kept. */
export class EdgeTarballSource {
  readonly #env: EdgeEnv;
  readonly #parts: EdgeTarballSourceParts;
  readonly #hosts: TarballHosts;

  constructor(env: EdgeEnv, parts: EdgeTarballSourceParts) {
    this.#env = env;
    this.#parts = parts;
    this.#hosts = new TarballHosts(env.registry, parts.allowedHosts);
  }

  /** What may not be shown before the registry was asked: its row, where that is still true; `undefined` when the document lists no such file. */
  async open(
    place: TarballPlace,
    row: TarballRow | undefined,
  ): Promise<OpenedTarball | { row: TarballRow } | undefined> {
    const dist = row ? await this.confirm(place, row) : await this.#parts.sources.distOf(place.name, place.file);
    if (!dist) return undefined;
    if (row && row.integrity === integrityOf(dist)) return { row };
    const stream = () => this.#fetch(place, dist);
    return { size: undefined, ...described(integrityOf(dist)), bytes: undefined, stream };
  }

  /** What the document says of it now; the row goes when it says nothing any more. */
  async confirm({ key, name, file }: TarballPlace, row: TarballRow): Promise<ConfirmedDist | undefined> {
    const { sources, store } = this.#parts;
    const dist = await sources.distOf(name, file);
    if (!dist) await (await store.driver()).delete(key);
    else if (row.integrity === integrityOf(dist)) await this.#write(key, { ...row, at: dist.at });
    return dist;
  }

  /** The bytes of a row whose blob is gone. A range of them is `ERR_BUSY` until they are there again. */
  async again(
    place: TarballPlace,
    { integrity }: TarballRow,
    range: ByteRange | undefined,
  ): Promise<ReadableStream<Uint8Array>> {
    const { key, name, file } = place;
    this.#env.logger?.warn?.('a stored tarball is gone', { key });
    const dist = await this.#parts.sources.distOf(name, file);
    if (!dist || integrityOf(dist) !== integrity)
      throw new RegistryError('ERR_CHANGED', `${file} has changed; try again`);
    const whole = await this.#fetch(place, dist);
    if (!range) return whole;
    await whole.cancel();
    throw new RegistryError('ERR_BUSY', `${file} is being fetched; try again`, { retryAfter: 1 });
  }

  /** From the origin, and into the store. One that is not what its document says is fetched once more behind: a cache on the way may be at fault. */
  async #fetch(place: TarballPlace, dist: ConfirmedDist, again = false): Promise<ReadableStream<Uint8Array>> {
    const { settings, store } = this.#parts;
    const { key, file } = place;
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
      if (!again) await (await this.#fetch(place, dist, true)).cancel();
    });
    store.behind(file, landed);
    return body;
  }

  async #write(key: string, row: TarballRow): Promise<void> {
    const storedAt = this.#env.clock.now();
    const body = new TextEncoder().encode(JSON.stringify(row));
    const expiresAt = row.pinned ? undefined : this.#parts.store.expiry();
    await this.#parts.store.write(key, {
      body,
      metadata: { storedAt, encoding: 'identity', size: body.length, expiresAt },
    });
  }
}
