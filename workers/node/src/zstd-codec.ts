import type { BlobCodec } from '@_all_docs/content';
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompressSync } from 'node:zlib';

const pack = promisify(zstdCompress);

/** zstd by `node:zlib`: packs on the thread pool, unpacks in place. */
export const zstdCodec: BlobCodec = {
  pack: (bytes) => pack(bytes),
  unpack: (bytes, maxOutputLength) => zstdDecompressSync(bytes, { maxOutputLength }),
};
