import type { StoredEntry } from '@_all_docs/cache';
import { type Codec, classify, HttpError, type Transport } from '@_all_docs/http';
import { packumentPath } from '@_all_docs/packument';
import { type Answer, jsonAnswer } from './answer.js';
import { type HeaderLookup, isUnchanged } from './conditional.js';
import { acceptsGzip } from './negotiate.js';

/** What a registry says where it has no such thing: repeated as it was said. */
const ABSENT = /* @__PURE__ */ new Set([400, 404, 410, 451]);
export const KEYS_PATH = '/-/npm/v1/keys';

/** The path of what was attested of one version. */
export function attestationsPath({ name, version }: { name: string; version: string }): string {
  return `/-/npm/v1/attestations/${packumentPath(name).slice(1)}@${encodeURIComponent(version)}`;
}

/** What the origin has under a path of its API: JSON as gzip bytes, or the status that says that there is none. */
export async function askResource(
  { registry, transport }: { registry: string; transport: Transport },
  path: string,
  codec: Codec,
): Promise<Uint8Array | number> {
  const headers = { accept: 'application/json', 'accept-encoding': 'gzip' };
  const response = await transport({ url: urlOf(registry, path), headers });
  const { status, encoding, body } = response;
  const isAnswer = classify(response) === 'ok';
  if (isAnswer && ABSENT.has(status)) return status;
  const text = isAnswer && status === 200 ? await codec.decode(body, encoding) : undefined;
  if (!text || !isJson(text)) throw noAnswer(path, status);
  return encoding === 'gzip' ? body : codec.gzip(text);
}

/** The answer with what is kept of it. */
export async function giveResource(
  { body, metadata }: StoredEntry,
  headers: HeaderLookup,
  { codec, cacheControl }: { codec: Codec; cacheControl: string },
): Promise<Answer> {
  const gzip = acceptsGzip(headers('accept-encoding'));
  const etag = `"${fingerprintOf(metadata.digest)}${gzip ? 'z' : ''}"`;
  const common = ['etag', etag, 'cache-control', cacheControl, 'vary', 'Accept-Encoding'];
  if (isUnchanged(headers, etag, undefined)) return { status: 304, headers: common, body: undefined };
  const bytes = gzip ? body : await codec.decode(body, metadata.encoding);
  const coding = gzip ? ['content-encoding', 'gzip'] : [];
  const said = ['content-type', 'application/json', 'content-length', String(bytes.length), ...coding, ...common];
  return { status: 200, headers: said, body: bytes };
}

/** The answer where the origin said that there is none. */
export function noResource(status: number): Answer {
  return jsonAnswer(status, { error: 'Not found' });
}

/** The registry's URL for a path of its API. */
export function urlOf(registry: string, path: string): string {
  return registry.replace(/\/$/, '') + path;
}

/** The error for an answer that is none. */
export function noAnswer(path: string, status: number): HttpError {
  return new HttpError('ERR_FETCH_FAILED', `${path}: the origin answered ${status}, which is no answer to this`, {
    status,
  });
}

function isJson(text: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder().decode(text));
    return true;
  } catch {
    return false;
  }
}

function fingerprintOf(digest: string | undefined): string {
  return (digest ?? '')
    .replace(/^[^-]*-/, '')
    .replace(/[^A-Za-z0-9]/g, '')
    .slice(0, 27);
}
