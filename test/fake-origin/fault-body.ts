import type { Exchange } from './exchange.ts';
import type { Hit } from './fault-book.ts';
import { hashText, hex32, mix } from './hash.ts';
import type { Answer } from './types.ts';

/** Faults of one answer. Each gives back what to send, or undefined when this answer cannot have the fault. */

const HOSTILE = '"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}';
/** A byte order mark's half, an overlong slash, a lone continuation, a cut sequence before ASCII. */
const BAD_UTF8 = Buffer.from([0xff, 0xfe, 0xc0, 0xaf, 0x80, 0xe2, 0x28, 0xa1]);
const README = '"readme":"';
const FLIPPED = 8;

/** As if the file had been cut on the origin's disk: the message is whole. The ETag is the whole file's. */
export async function wholeCut(exchange: Exchange): Promise<Answer | undefined> {
  const body = await plainBody(exchange);
  return body && exchange.pack(body.answer, body.bytes.subarray(0, Math.floor(body.bytes.length / 2)));
}

/** Only for what is gzip on the wire: a compressed answer, or a tarball. */
export async function corruptGzip(exchange: Exchange): Promise<Answer | undefined> {
  const answer = await exchange.whole();
  const zipped = exchange.route.kind === 'tarball' || answer.headers['content-encoding'] === 'gzip';
  if (!zipped || answer.status !== 200 || !answer.body) return undefined;
  // A copy: the body may be the cache's.
  const body = Buffer.from(answer.body);
  const start = Math.max(0, Math.floor((body.length - FLIPPED) / 2));
  for (let i = start; i < start + FLIPPED; i++) body[i] = (body[i] as number) ^ 0xff;
  return { ...answer, body };
}

/** The honest body under an ETag that is another one each time. */
export async function wrongEtag(exchange: Exchange, { draw }: Hit): Promise<Answer | undefined> {
  const answer = await exchange.whole();
  return answer.status === 200 ? withEtag(answer, `"${hex32(draw, mix(draw + 1), 0)}"`) : undefined;
}

/** A description that is another one each time, under the honest ETag. The ETag is believed: a 304 stays one. */
export async function sameEtag(exchange: Exchange, { draw }: Hit): Promise<Answer | undefined> {
  if ((await exchange.honest()).status === 304) return undefined;
  const body = await plainBody(exchange);
  if (!body) return undefined;
  const document = JSON.parse(body.bytes.toString()) as Record<string, unknown>;
  document.description = `changed to ${draw}`;
  return exchange.pack(body.answer, Buffer.from(JSON.stringify(document)));
}

/** Not for a conditional request: there a 304 is solicited. */
export async function unsolicited304(exchange: Exchange): Promise<Answer | undefined> {
  const { 'if-none-match': match, 'if-modified-since': since } = exchange.req.headers;
  if (match !== undefined || since !== undefined) return undefined;
  const { status, headers } = await exchange.whole();
  const kept = Object.entries(headers).filter(([name]) => !name.startsWith('content-'));
  return status === 200 ? { status: 304, headers: Object.fromEntries(kept), body: null } : undefined;
}

/** The document of the next listed name that has one, even when the asked name does not exist. */
export async function wrongName(exchange: Exchange): Promise<Answer | undefined> {
  const other = nextName(exchange);
  const body = other === undefined ? undefined : await plainBody(exchange, other);
  return body && exchange.pack(body.answer, body.bytes);
}

/** A document whose tarball URLs lead elsewhere. Only their host is wrong; the ETag is that document's own. */
export async function tarballHost(exchange: Exchange, { rule: { to = '' } }: Hit): Promise<Answer | undefined> {
  const answer = await exchange.whole(to.replace(/\/+$/, ''));
  return answer.status === 200 ? answer : undefined;
}

/** Keys that reach for Object.prototype, at the top and in the first manifest. */
export async function hostileKeys(exchange: Exchange): Promise<Answer | undefined> {
  return bent(exchange, 'hostile-keys', (bytes) => {
    const text = bytes.toString().replace(/"versions":\{"[^"]+":\{/, (found) => `${found}${HOSTILE},`);
    return Buffer.from(`${text.slice(0, -1)},${HOSTILE}}`);
  });
}

/** `time.unpublished` on a package that still has versions, as the registry says of one of which only some were taken away. */
export async function timeUnpublished(exchange: Exchange): Promise<Answer | undefined> {
  const text = (await plainBody(exchange))?.bytes.toString() ?? '';
  // A stub has no versions, the abbreviated form no dates.
  if (!text.includes('"versions":{"') || !text.includes('"time":{')) return undefined;
  const unpublished = '"unpublished":{"time":"2026-11-01T00:00:00.000Z","versions":["0.0.0"]}';
  return bent(exchange, 'time-unpublished', () => Buffer.from(text.replace('"time":{', `"time":{${unpublished},`)));
}

/** In the readme; a document without one gets one. */
export async function badUtf8(exchange: Exchange): Promise<Answer | undefined> {
  return bent(exchange, 'bad-utf8', (bytes) => {
    const at = bytes.lastIndexOf(README) + README.length;
    if (at >= README.length) return Buffer.concat([bytes.subarray(0, at), BAD_UTF8, bytes.subarray(at)]);
    return Buffer.concat([bytes.subarray(0, -1), Buffer.from(`,${README}`), BAD_UTF8, Buffer.from('"}')]);
  });
}

export function withEtag(answer: Answer, etag: string): Answer {
  return { ...answer, headers: { ...answer.headers, etag } };
}

/**
 * The ETag of a bent document: not the honest one, or a client that kept the bent one would get 304s for ever
 * after the fault is gone.
 */
export function bentEtag({ headers }: Answer, fault: string): string {
  const hash = hashText(`${headers.etag} ${fault}`, 0);
  return `"${hex32(hash, mix(hash + 1), 1)}"`;
}

async function bent(exchange: Exchange, fault: string, change: (bytes: Buffer) => Buffer): Promise<Answer | undefined> {
  const body = await plainBody(exchange);
  return body && exchange.pack(withEtag(body.answer, bentEtag(body.answer, fault)), change(body.bytes));
}

async function plainBody(exchange: Exchange, name?: string): Promise<{ answer: Answer; bytes: Buffer } | undefined> {
  const answer = await exchange.plain(name);
  return answer.status === 200 && answer.body ? { answer, bytes: answer.body } : undefined;
}

function nextName({ origin: { world }, route }: Exchange): string | undefined {
  const after = world.page(Buffer.from(`${route.name}\0`), null, true, 100).ids;
  const first = world.page(null, null, true, 100).ids;
  const id = [...after, ...first].find(
    (other) => world.doc(other).removed === undefined && world.nameOf(other) !== route.name,
  );
  return id === undefined ? undefined : world.nameOf(id);
}
