import { encodeOrigin, hex } from '@_all_docs/cache';
import type { PackumentForm } from '@_all_docs/packument';
import { documentPrefix } from '@_all_docs/packument/keys';
import { DERIVED_PREFIX } from './prefixes.js';
import { derivedKey, deriveOptions, type VariantKey } from './rendition.js';

export type EdgeForm = Pick<VariantKey, 'part' | 'base'>;

/** Where documents lie at the edge: the source as the origin sent it, and each form that was made of it, by keys of their own. */
export class EdgeKeys {
  /** What the keys of all sources begin with; a name in hex follows. */
  readonly sources: string;
  readonly #forms: string;
  readonly #form: PackumentForm;

  constructor(registry: string, form: PackumentForm) {
    this.sources = documentPrefix(form, registry);
    this.#forms = `${DERIVED_PREFIX}${encodeOrigin(registry)}:`;
    this.#form = form;
  }

  isSource({ part, base }: EdgeForm): boolean {
    return part === this.#form && base === '';
  }

  source(name: string): string {
    return this.sources + hex(name);
  }

  /** Where a form is stored; tags and single versions are nowhere. */
  form(name: string, form: EdgeForm): string | undefined {
    if (this.isSource(form)) return this.source(name);
    const isKept = form.part === 'full' || form.part === 'abbreviated';
    return isKept ? this.#forms + derivedKey(deriveOptions(name, form)) : undefined;
  }

  /** What the keys of all forms of a document begin with. */
  formsOf(name: string): string {
    return `${this.#forms}${hex(name)}:`;
  }
}
