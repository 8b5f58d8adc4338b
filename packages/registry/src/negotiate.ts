import type { PackumentForm } from '@_all_docs/packument';

/** Media types of the two forms. */
export const MEDIA_TYPE: Record<PackumentForm, string> = {
  full: 'application/json',
  abbreviated: 'application/vnd.npm.install-v1+json',
};

interface Preference {
  quality: number;
  /** Place in the list: among equals the first named wins. */
  place: number;
}

/** All that may stand for gzip in `Accept-Encoding`. */
const GZIP = ['gzip', 'x-gzip', '*'];
const NOTHING: Preference = { quality: 0, place: Number.POSITIVE_INFINITY };

/**
 * The form that `Accept` prefers (RFC 9110, section 12.5.1). Abbreviated only where its own media type is named and
 * beats JSON in quality, or in order among equals. Full for everything else: clients exist that ask for neither, so 406 is never said.
 */
export function negotiateForm(accept: string | undefined): PackumentForm {
  if (accept === undefined || !accept.toLowerCase().includes('install-v1+json')) return 'full';
  const ranges = parseList(accept);
  const short = ranges.get(MEDIA_TYPE.abbreviated) ?? NOTHING;
  const full = ranges.get('application/json') ?? ranges.get('application/*') ?? ranges.get('*/*') ?? NOTHING;
  return isBetter(short, full) ? 'abbreviated' : 'full';
}

/**
 * Whether the answer may be gzip: where `Accept-Encoding` names it (or `*`) and does not like the plain bytes better.
 * A client that sends no such header gets plain bytes: RFC 9110 would allow any coding, but those clients do not unpack.
 */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  if (acceptEncoding === undefined) return false;
  // Nearly all clients name codings without weights.
  if (!acceptEncoding.includes(';')) {
    const codings = acceptEncoding.toLowerCase().split(',');
    return codings.some((coding) => GZIP.includes(coding.trim()));
  }
  const codings = parseList(acceptEncoding);
  const gzip = codings.get('gzip') ?? codings.get('x-gzip') ?? codings.get('*') ?? NOTHING;
  const plain = codings.get('identity') ?? NOTHING;
  return gzip.quality > 0 && gzip.quality >= plain.quality;
}

function isBetter(a: Preference, b: Preference): boolean {
  return a.quality > 0 && (a.quality > b.quality || (a.quality === b.quality && a.place < b.place));
}

/** Members of a list with their weights, by name in lower case; parameters other than `q` are left out. */
function parseList(header: string): Map<string, Preference> {
  const members = new Map<string, Preference>();
  for (const [place, member] of header.split(',').entries()) {
    const [name = '', ...parameters] = member.split(';');
    const key = name.trim().toLowerCase();
    if (key !== '' && !members.has(key)) members.set(key, { quality: quality(parameters), place });
  }
  return members;
}

/** RFC 9110, section 12.4.2: 0 to 1 with up to three decimals; a weight that is none counts as 1. */
function quality(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    const weight = /^\s*q\s*=\s*(0(?:\.\d*)?|1(?:\.0*)?)\s*$/i.exec(parameter);
    if (weight) return Number(weight[1]);
  }
  return 1;
}
