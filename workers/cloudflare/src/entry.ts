import { CacheError, type CacheErrorCode, digestOf, type EntryMetadata, type StoredEntry } from '@_all_docs/cache';

/** Metadata of an entry, with size and digest of its body, as text that any header carries. */
export async function pack({ body, metadata }: StoredEntry): Promise<string> {
  return packMetadata({ ...metadata, size: body.length, digest: metadata.digest ?? (await digestOf(body)) });
}

export function packMetadata(metadata: EntryMetadata): string {
  return JSON.stringify(metadata).replace(
    /[\x7f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** What {@link pack} was given; `ERR_CORRUPT` for what somebody else put there. */
export function unpack(key: string, packed: string | null | undefined): EntryMetadata {
  try {
    const metadata = JSON.parse(packed as string);
    if (typeof metadata.storedAt === 'number') return metadata;
  } catch {}
  throw new CacheError('ERR_CORRUPT', `${key} was not stored by this program; delete it`);
}

/** The entry, if these are the bytes that its metadata tell of; else `ERR_CORRUPT`. */
export async function whole(key: string, metadata: EntryMetadata, buffer: ArrayBuffer): Promise<StoredEntry> {
  const body = new Uint8Array(buffer);
  const [, bits, digest] = /^sha(\d+)-(.*)/.exec(metadata.digest ?? '') ?? [];
  const hash = bits && new Uint8Array(await crypto.subtle.digest(`SHA-${bits}`, body));
  if (hash && body.length === metadata.size && btoa(String.fromCharCode(...hash)) === digest) return { body, metadata };
  throw new CacheError('ERR_CORRUPT', `the stored bytes of ${key} do not match their digest; fetch the entry again`);
}

/** What a read of the host gives; its trouble is `ERR_STORAGE_READ`. */
export function reading<T>(key: string, work: Promise<T>): Promise<T> {
  return guarded('ERR_STORAGE_READ', key, work);
}

/** What a write of the host gives; its trouble is `ERR_STORAGE_WRITE`. */
export function writing<T>(key: string, work: Promise<T>): Promise<T> {
  return guarded('ERR_STORAGE_WRITE', key, work);
}

async function guarded<T>(code: CacheErrorCode, key: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new CacheError(code, `${key}: ${(cause as Error).message}`, { cause });
  }
}
