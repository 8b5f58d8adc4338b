import { Hash, type Hashers } from '@_all_docs/content';

/** The address of content that must match an integrity string; `undefined` where that leaves a choice. */
export function addressIn(integrity: string | undefined): Hash | undefined {
  const digest = /^sha512-([A-Za-z0-9+/]{86}==)$/.exec(integrity ?? '')?.[1];
  if (digest === undefined) return undefined;
  return new Hash(
    Uint8Array.from(atob(digest), (character) => character.charCodeAt(0)),
    'sha512',
  );
}

/**
 * Writes content under its SHA-512, and gives that: `known` where it is known before the bytes are there, so that a
 * backend need not hold them back until they have a name.
 */
export async function addressed(
  source: AsyncIterable<Uint8Array>,
  known: Hash | undefined,
  hashers: Pick<Hashers, 'create'>,
  write: (path: string | (() => string), source: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<Hash> {
  if (known) {
    await write(known.path, source);
    return known;
  }
  const hasher = await hashers.create('sha512');
  let hash: Hash | undefined;
  const hashed = async function* () {
    for await (const bytes of source) {
      await hasher.update(bytes);
      yield bytes;
    }
    hash = new Hash(await hasher.digest(), 'sha512');
  };
  await write(() => (hash as Hash).path, hashed());
  return hash as unknown as Hash;
}
