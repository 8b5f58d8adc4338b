import { encodeOrigin, packumentPrefix } from '@_all_docs/cache';

/** Which of the registry's two forms of a document is asked for and kept. */
export type PackumentForm = 'full' | 'abbreviated';

/** What the cache keys of all documents of one form and registry begin with; the hex of the name follows, so they sort as names do. */
export function documentPrefix(form: PackumentForm, registry: string): string {
  return encodedPrefix(form, encodeOrigin(registry));
}

/** {@link documentPrefix} of a registry that `encodeOrigin` has spelled already. */
export function encodedPrefix(form: PackumentForm, encodedOrigin: string): string {
  return packumentPrefix(form === 'full' ? 'packument' : 'abbreviated', encodedOrigin);
}
