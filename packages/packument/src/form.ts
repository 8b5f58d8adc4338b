import { createPackumentPrefix } from '@_all_docs/cache';

/** Which of the registry's two forms of a document is asked for and kept. */
export type PackumentForm = 'full' | 'abbreviated';

/** What the cache keys of all documents of one form and registry begin with; the hex of the name follows, so they sort as names do. */
export function documentPrefix(form: PackumentForm, registry: string): string {
  return createPackumentPrefix(form === 'full' ? 'packument' : 'abbreviated', registry);
}
