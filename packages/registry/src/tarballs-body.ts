import type { ByteRange, StoredBlob } from '@_all_docs/content';
import { streamOf } from './stream-of.js';

/** A tarball that is there, or on its way. */
export interface Tarball {
  /** Bytes; `undefined` while it is on its way from an origin that announced no length. */
  readonly size: number | undefined;
  /** What the document says that it must be. */
  readonly integrity: string | undefined;
  /** A strong validator, quotes included; the same before and after it is kept. */
  readonly etag: string | undefined;
  /** Whether the document pins these very bytes, so that they may be cached for ever. */
  readonly immutable: boolean;
  /** All of it, where it is kept and small; cheaper than a stream. */
  readonly bytes: Uint8Array | undefined;
  /**
   * The bytes, or those of a range (within `size`). Ends with an error, before the last piece, when they turn out not to
   * be what they should. Cancel it to leave.
   */
  stream(range?: ByteRange): ReadableStream<Uint8Array>;
}

/** Read as a whole: that costs less than a stream. */
const SMALL_BYTES = 256 * 1024;

/** What the store holds. */
export async function atRest(blob: StoredBlob, integrity: string | undefined): Promise<Tarball> {
  const bytes = blob.size <= SMALL_BYTES ? await blob.bytes() : undefined;
  const stream = (range?: ByteRange) =>
    streamOf(bytes ? [bytes.subarray(range?.start, range?.end)] : blob.stream(range));
  return { size: blob.size, ...described(integrity), bytes, stream };
}

/** What is being fetched, as far as it is known. */
export function onItsWay(
  read: (range?: ByteRange) => AsyncIterable<Uint8Array>,
  size: number | undefined,
  integrity: string | undefined,
): Tarball {
  return { size, ...described(integrity), bytes: undefined, stream: (range) => streamOf(read(range)) };
}

export function described(integrity: string | undefined): Pick<Tarball, 'integrity' | 'etag' | 'immutable'> {
  return { integrity, etag: etagOf(integrity), immutable: integrity !== undefined };
}

function etagOf(integrity: string | undefined): string | undefined {
  const [hash] = /[a-z0-9]+-[A-Za-z0-9+/=]+/.exec(integrity ?? '') ?? [];
  return hash && `"${hash}"`;
}
