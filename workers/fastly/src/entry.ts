import { CacheError, type CacheErrorCode, digestOf, type EntryMetadata, type StoredEntry } from '@_all_docs/cache';

/** Metadata of an entry, with size and digest of its body, as ASCII. */
export async function pack({ body, metadata }: StoredEntry): Promise<string> {
  const digest = metadata.digest ?? (await digestOf(body));
  return JSON.stringify({ ...metadata, size: body.length, digest }).replace(
    /[\x7f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** What {@link pack} was given; `ERR_CORRUPT` for what somebody else put there. */
export function unpack(key: string, packed: string | null): EntryMetadata {
  try {
    const metadata = JSON.parse(packed as string);
    if (typeof metadata.storedAt === 'number') return metadata;
  } catch {
    // Said below.
  }
  throw new CacheError('ERR_CORRUPT', `${key} was not stored by this program; delete it`);
}

/** The entry, if these are the bytes that its metadata tell of; else `ERR_CORRUPT`. */
export async function whole(key: string, metadata: EntryMetadata, buffer: ArrayBuffer): Promise<StoredEntry> {
  const body = new Uint8Array(buffer);
  const [, bits, digest] = /^sha(256|384|512)-(.*)/.exec(metadata.digest ?? '') ?? [];
  const hash = bits && new Uint8Array(await crypto.subtle.digest(`SHA-${bits}`, body));
  if (hash && body.length === metadata.size && btoa(String.fromCharCode(...hash)) === digest) return { body, metadata };
  throw new CacheError('ERR_CORRUPT', `the stored bytes of ${key} do not match their digest; fetch the entry again`);
}

/** What the host gives; its trouble bears a code. */
export async function guard<T>(code: CacheErrorCode, key: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw storageError(code, key, cause);
  }
}

export function storageError(code: CacheErrorCode, key: string, cause: unknown): CacheError {
  return new CacheError(code, `${key}: ${cause instanceof Error ? cause.message : cause}`, { cause });
}
