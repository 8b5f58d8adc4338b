import type { StoredEntry } from '@_all_docs/cache';

const BODY = '{"_all_docs":"absent"}';

/** What a tier holds of a key that the primary does not have. Noted in the metadata, and unlike any value in its bytes. */
export function absence(asOf: number): StoredEntry {
  const body = new TextEncoder().encode(BODY);
  return { body, metadata: { storedAt: asOf, encoding: 'identity', size: body.length, tier: { asOf, absent: true } } };
}

/** Whether the bytes are those of an {@link absence}: a store that lost the note must not turn it into a value. */
export function isAbsence(body: Uint8Array): boolean {
  return body.length === BODY.length && new TextDecoder().decode(body) === BODY;
}
