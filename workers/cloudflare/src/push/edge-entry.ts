import { CacheError, digestOf, type StoredEntry } from '@_all_docs/cache';
import { type Codec, webCodec } from '@_all_docs/http';
import { packMetadata } from '../entry.js';
import { ELSEWHERE, MAX_METADATA_BYTES, MAX_VALUE_BYTES } from '../kv-limits.js';

/** An entry as the worker's driver reads it. */
export interface EdgeEntry {
  body: Uint8Array;
  /** What R2 holds beside the body, and KV where the body lies there. */
  metadata: string;
  digest: string;
  /** The body goes to R2; KV refers to it. */
  isLarge: boolean;
}

/** The entry with bytes that Workers can unpack. `ERR_VALUE_TOO_LARGE` for metadata that KV does not take. */
export async function toEdge(key: string, entry: StoredEntry, codec: Codec = webCodec): Promise<EdgeEntry> {
  const { encoding } = entry.metadata;
  const isPlain = encoding === 'gzip' || encoding === 'identity';
  const body = isPlain ? entry.body : await codec.gzip(await codec.decode(entry.body, encoding));
  const digest = (isPlain && entry.metadata.digest) || (await digestOf(body));
  const { expiresAt: _, tier: __, large: ___, ...kept } = entry.metadata;
  const metadata = packMetadata({ ...kept, encoding: isPlain ? encoding : 'gzip', size: body.length, digest });
  const bytes = JSON.stringify(metadata).length;
  if (bytes > MAX_METADATA_BYTES)
    throw new CacheError(
      'ERR_VALUE_TOO_LARGE',
      `${key}: KV takes ${MAX_METADATA_BYTES} bytes of metadata, not ${bytes}`,
    );
  return { body, metadata, digest, isLarge: body.length > MAX_VALUE_BYTES };
}

/** What the worker's driver would take this metadata for; `undefined` for what somebody else put there. */
export function storedThere(metadata: unknown): { digest: string; storedAt: number } | 'large' | undefined {
  if (metadata === ELSEWHERE) return 'large';
  try {
    const { digest, storedAt } = JSON.parse(metadata as string);
    return typeof digest === 'string' && typeof storedAt === 'number' ? { digest, storedAt } : undefined;
  } catch {
    return undefined;
  }
}
