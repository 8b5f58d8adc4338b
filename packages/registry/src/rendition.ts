import { fingerprint, hex } from '@_all_docs/cache';
import type { DeriveOptions } from './derive.js';

/** Changes whenever the same document would be made into other bytes: what older code made is then made anew. */
const RENDITION = 3;

/** What of a document is sent: one of its forms, its tags, or one version (`version 1.0.0`). */
export type Part = 'full' | 'abbreviated' | 'dist-tags' | `version ${string}`;

/** Which of the many ways to send a document: everything that makes the bytes differ. */
export interface VariantKey {
  part: Part;
  gzip: boolean;
  /** What our own tarball URLs begin with; empty where they are as the origin wrote them. */
  base: string;
}

/** How the bytes of a variant are made. */
export function deriveOptions(name: string, { part, base }: Pick<VariantKey, 'part' | 'base'>): DeriveOptions {
  const tarballs = base === '' ? {} : { base };
  if (part === 'full' || part === 'abbreviated') return { name, form: part, ...tarballs };
  return { name, form: 'version', version: part.slice('version '.length), ...tarballs };
}

/** What the key of a derived document ends with. Names and bases are told apart by the colon, which no hex has. */
export function derivedKey({ name, form, version, base }: DeriveOptions): string {
  return `${hex(name)}:${hex(`${form} ${version ?? ''} ${base ?? ''}`)}`;
}

/** Stands in the `etag` of a derived document: of which stored bytes it was made, and how. */
export function markOf(digest: string): string {
  return `${RENDITION} ${digest}`;
}

/** Strong: made of the stored bytes' digest and of everything that is done to them. */
export function etagOf({ part, gzip, base }: VariantKey, digest: string): string {
  const bytes = digest
    .slice(digest.indexOf('-') + 1, digest.indexOf('-') + 28)
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
  const form = `${part[0]}${RENDITION}${gzip ? 'z' : ''}`;
  return `"${bytes}-${form}${base === '' ? '' : `-${fingerprint(base)}`}"`;
}
