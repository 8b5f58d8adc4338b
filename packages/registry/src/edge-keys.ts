import { hex } from '@_all_docs/cache';
import { VERSION_PREFIX } from '@_all_docs/content/keys';
import type { PackumentForm } from '@_all_docs/packument';
import { encodedPrefix } from '@_all_docs/packument/keys';
import { ABSENT_PREFIX, DERIVED_PREFIX, RESOURCE_PREFIX } from './prefixes.js';
import { derivedKey, deriveOptions, type VariantKey } from './rendition.js';

export type EdgeForm = Pick<VariantKey, 'part' | 'base'>;

/** Where everything lies at the edge: a document as the origin sent it, and each form that was made of it, by keys of their own. */
export class EdgeKeys {
  /** What the keys of all sources begin with; a name in hex follows. */
  readonly sources: string;
  readonly #forms: string;
  readonly #absent: string;
  readonly #resources: string;
  readonly #tarballs: string;
  readonly #form: PackumentForm;

  /** `origin` is the registry as `encodeOrigin` spells it, which takes long: once is enough. */
  constructor(origin: string, form: PackumentForm) {
    this.sources = encodedPrefix(form, origin);
    this.#forms = `${DERIVED_PREFIX}${origin}:`;
    this.#absent = `${ABSENT_PREFIX}${origin}:`;
    this.#resources = `${RESOURCE_PREFIX}${origin}:`;
    this.#tarballs = `${VERSION_PREFIX}${origin}:`;
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

  /** Where the row of a tarball is stored. */
  tarball(name: string, file: string): string {
    return `${this.#tarballs}${hex(name)}:${hex(file)}`;
  }

  /** Where an answer of the registry's API is stored, by its path. */
  resource(path: string): string {
    return this.#resources + hex(path);
  }

  /** Where it is stored that the registry has no such thing. */
  absence(what: string): string {
    return this.#absent + hex(what);
  }
}
