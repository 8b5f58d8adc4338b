import { CacheError, type CacheErrorCode, digestOf, type EntryMetadata, type StoredEntry } from '@_all_docs/cache';

/** Metadata by its place in an array: KV takes 1,000 bytes. */
type Packed = [
  storedAt: number,
  encoding: EntryMetadata['encoding'],
  size: number,
  digest: string,
  expiresAt: number | null,
  ...validators: (string | null | undefined)[],
];

/** Metadata of an entry, with size and digest of its body, as ASCII. */
export async function pack({ body, metadata }: StoredEntry): Promise<string> {
  const { storedAt, encoding, expiresAt, etag, lastModified, rev, modified } = metadata;
  const digest = metadata.digest ?? (await digestOf(body));
  const packed: Packed = [
    storedAt,
    encoding,
    body.length,
    digest,
    expiresAt ?? null,
    etag,
    lastModified,
    rev,
    modified,
  ];
  return JSON.stringify(packed).replace(
    /[\x7f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** What {@link pack} was given; `ERR_CORRUPT` for what somebody else put there. */
export function unpack(key: string, packed: string | null): EntryMetadata {
  try {
    // By place: taking a list apart goes through an iterator, which an interpreter is slow at.
    const list = JSON.parse(packed as string) as Packed;
    return {
      storedAt: list[0],
      encoding: list[1],
      size: list[2],
      digest: list[3],
      expiresAt: list[4] ?? undefined,
      etag: list[5] ?? undefined,
      lastModified: list[6] ?? undefined,
      rev: list[7] ?? undefined,
      modified: list[8] ?? undefined,
    };
  } catch (cause) {
    throw new CacheError('ERR_CORRUPT', `${key} was not stored by this program; delete it`, { cause });
  }
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
    throw new CacheError(code, `${key}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}
