import type { EntryMetadata, StoredEntry } from '@_all_docs/cache';
import { type Codec, classify, type Encoding, HttpError, type TransportResponse } from '@_all_docs/http';
import type { CheckedDocument } from './check.js';
import { PackumentError } from './errors.js';
import type { PackumentForm } from './form.js';
import { packumentPath } from './names.js';

export interface AskOptions {
  /** One exchange with the registry, for a path of its. */
  send(path: string, options: { headers: Record<string, string> }): Promise<TransportResponse>;
  form: PackumentForm;
  /** What the document says of itself; rejects where it is not the document of that name, or damaged. */
  look(name: string, body: Uint8Array, encoding: Encoding): CheckedDocument | Promise<CheckedDocument>;
  codec: Codec;
  clock: { now(): number };
  /** What is stored already, for a conditional request. */
  known?: EntryMetadata | undefined;
  /** Goes past the caches between us and the registry. */
  fresh?: boolean | undefined;
}

/** What the registry said; `absent` is its own word (404, 410, 451). */
export type AskedPackument =
  /** Checked, and ready to be stored; `bytes` came over the wire. */
  | { outcome: 'document'; entry: StoredEntry; bytes: number }
  /** What is stored is what the registry has: with its age and validator renewed. */
  | { outcome: 'unchanged'; metadata: EntryMetadata }
  | { outcome: 'absent'; status: number };

export const ACCEPT: Record<PackumentForm, string> = {
  // Exactly this: `*/*` yields one form or the other, depending on whom one asks.
  full: 'application/json',
  abbreviated: 'application/vnd.npm.install-v1+json',
};
const ABSENT = /* @__PURE__ */ new Set([404, 410, 451]);
const TRIES = 4;
/** npm's own way past the caches of its registry. */
const FRESH = '?write=true';

/**
 * Asks the registry for one document. One that fails its check is asked for again, whole. Everything that is no answer is
 * thrown: the `HttpError` or `PackumentError` of the last try.
 */
export async function askPackument(
  name: string,
  { send, form, look, codec, clock, known, fresh }: AskOptions,
): Promise<AskedPackument> {
  const path = packumentPath(name) + (fresh ? FRESH : '');
  let conditional = known;
  for (let tries = 1; ; tries++) {
    const response = await send(path, { headers: headersFor(form, conditional) });
    const { status, headers, body, encoding } = response;
    if (status === 304 && !conditional) {
      // An origin that answers "unchanged" to somebody who holds nothing is asked again, like any damaged answer.
      if (tries === TRIES) throw unexpected(name, status);
      continue;
    }
    if (status === 304 && known) {
      const metadata = { ...known, storedAt: clock.now(), etag: headers['etag'] ?? known.etag };
      return { outcome: 'unchanged', metadata };
    }
    if (classify(response) !== 'ok') throw unexpected(name, status);
    if (ABSENT.has(status)) return { outcome: 'absent', status };
    if (status !== 200) throw unexpected(name, status);
    try {
      const checked = await look(name, body, encoding);
      const packed = encoding === 'identity' ? await codec.gzip(body) : body;
      const metadata: EntryMetadata = {
        storedAt: clock.now(),
        encoding: encoding === 'identity' ? 'gzip' : encoding,
        size: packed.length,
        etag: headers['etag'],
        lastModified: headers['last-modified'],
        ...checked,
      };
      return { outcome: 'document', entry: { body: packed, metadata }, bytes: body.length };
    } catch (error) {
      if (tries === TRIES || !isDamage(error)) throw error;
      conditional = undefined;
    }
  }
}

/** Whether an error says that a document is not what it should be, and not that there was none. */
export function isDamage(error: unknown): boolean {
  if (error instanceof PackumentError) return error.code === 'ERR_BAD_PACKUMENT';
  return error instanceof HttpError && (error.code === 'ERR_ENCODING' || error.code === 'ERR_TOO_LARGE');
}

function headersFor(form: PackumentForm, known: EntryMetadata | undefined): Record<string, string> {
  const headers: Record<string, string> = { accept: ACCEPT[form], 'accept-encoding': 'gzip' };
  if (known?.etag) headers['if-none-match'] = known.etag;
  else if (known?.lastModified) headers['if-modified-since'] = known.lastModified;
  return headers;
}

function unexpected(name: string, status: number): HttpError {
  const hint = status === 401 || status === 403 ? '; check the token for this registry in .npmrc' : '';
  return new HttpError('ERR_FETCH_FAILED', `${name}: the registry answered ${status}${hint}`, { status });
}
