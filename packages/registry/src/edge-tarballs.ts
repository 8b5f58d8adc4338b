import type { ByteRange } from '@_all_docs/content';
import { Hash } from '@_all_docs/content/keys';
import type { EdgeParts } from './edge-documents.js';
import type { EdgeEnv } from './edge-env.js';
import { streamOf } from './stream-of.js';
import type { OpenedTarball } from './tarball-answers.js';
import { described } from './tarballs-body.js';

/** The index row of a tarball, as an entry: `v1:version:{origin}:{hex name}:{hex file}`. */
export interface TarballRow {
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

/** One file of a package, and the key of its row. */
export interface TarballPlace {
  key: string;
  name: string;
  file: string;
}

/** Tarballs at the edge: found by their row, whose blob is sent as it lies; else fetched, checked on the way, and kept. */
export class EdgeTarballs {
  readonly #env: EdgeEnv;
  readonly #parts: EdgeParts;

  constructor(env: EdgeEnv, parts: EdgeParts) {
    this.#env = env;
    this.#parts = parts;
  }

  /**
   * The tarball; `undefined` when the document lists no such file. What is not held is asked for when its bytes are, which
   * then rejects with the trouble there was: `ERR_NOT_FOUND`, `ERR_FORBIDDEN_HOST`, `ERR_OFFLINE`.
   */
  async open(name: string, file: string): Promise<OpenedTarball | undefined> {
    const { keys, store, pull } = this.#parts;
    const place = { key: keys.tarball(name, file), name, file };
    const entry = await store.read(place.key);
    const row = entry && (JSON.parse(new TextDecoder().decode(entry.body)) as TarballRow);
    if (!row || (await store.isRemoved(name, row.at))) {
      const { tarballs } = await pull();
      const found = await tarballs.open(place, row);
      return found && 'row' in found ? this.#atRest(place, found.row) : found;
    }
    if (this.#isOld(row)) {
      store.behind(
        file,
        pull().then(({ tarballs }) => tarballs.confirm(place, row)),
      );
    }
    return this.#atRest(place, row);
  }

  #atRest(place: TarballPlace, row: TarballRow): OpenedTarball {
    const { blob, size, integrity } = row;
    const stream = async (range?: ByteRange): Promise<ReadableStream<Uint8Array>> => {
      const bytes = await this.#env.blobs.read(Hash.parse(blob).path, range);
      // A row whose blob is gone: the origin can mend that.
      return bytes ? streamOf(bytes) : (await this.#parts.pull()).tarballs.again(place, row, range);
    };
    return { size, ...described(integrity), bytes: undefined, stream };
  }

  /** Where the feed is not followed, only the document tells whether a version is still there. */
  #isOld({ at }: TarballRow): boolean {
    const { offline, maxAgeMs } = this.#parts.settings;
    return !this.#env.removals && !offline && this.#env.clock.now() - at > maxAgeMs;
  }
}
