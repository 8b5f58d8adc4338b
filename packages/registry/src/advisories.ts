import { type Codec, classify, concat, webCodec } from '@_all_docs/http';
import type { Answer, AnswerRequest } from './answer.js';
import { RegistryError } from './errors.js';
import { acceptsGzip } from './negotiate.js';
import { patiently } from './patience.js';
import { noAnswer, urlOf } from './resource.js';
import type { Settings } from './settings.js';
import type { RegistryEnv } from './types.js';

const PATH = '/-/npm/v1/security/advisories/bulk';
/** A lockfile of ten thousand packages asks with some hundred kilobytes. */
const LARGEST_BODY = 4 * 1024 * 1024;

/**
 * `npm audit`: the question goes to the origin as it came, compressed or not, and the answer back. Nothing of the
 * client but its body and the two headers that describe it is passed on. Rejects with the trouble there was.
 */
export async function answerAdvisories(
  env: Pick<RegistryEnv, 'registry' | 'transport' | 'clock' | 'codec' | 'waitUntil'>,
  settings: Pick<Settings, 'offline' | 'patienceMs'>,
  request: AnswerRequest,
): Promise<Answer> {
  if (settings.offline)
    throw new RegistryError('ERR_OFFLINE', 'the replica is offline: advisories cannot be asked for');
  const body = await readBody(request);
  const headers: Record<string, string> = { accept: 'application/json', 'accept-encoding': 'gzip' };
  for (const name of ['content-type', 'content-encoding']) {
    const value = request.headers.get(name);
    if (value !== null) headers[name] = value;
  }
  const asked = env.transport({ url: urlOf(env.registry, PATH), method: 'POST', headers, body });
  const response = await patiently(env, settings.patienceMs, 'advisories', asked);
  if (classify(response) !== 'ok') throw noAnswer(PATH, response.status);
  const codec: Codec = env.codec ?? webCodec;
  const gzip = response.encoding === 'gzip' && acceptsGzip(request.headers.get('accept-encoding') ?? undefined);
  const bytes = gzip ? response.body : await codec.decode(response.body, response.encoding);
  const coding = gzip ? ['content-encoding', 'gzip'] : [];
  const said = ['content-type', 'application/json', 'content-length', String(bytes.length), ...coding];
  return { status: response.status, headers: [...said, 'cache-control', 'no-store'], body: bytes };
}

async function readBody(request: AnswerRequest): Promise<Uint8Array> {
  if (Number(request.headers.get('content-length') ?? 0) > LARGEST_BODY) throw tooLarge();
  const pieces: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop lets go of the rest.
  for await (const piece of request.body ?? []) {
    length += piece.length;
    if (length > LARGEST_BODY) throw tooLarge();
    pieces.push(piece);
  }
  return concat(pieces, length);
}

function tooLarge(): RegistryError {
  return new RegistryError(
    'ERR_BODY_TOO_LARGE',
    `the body is over ${LARGEST_BODY} bytes; ask for fewer packages at once`,
  );
}
