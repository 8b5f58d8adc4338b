import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import { admitsGzip } from './answer.ts';
import type { Exchange } from './exchange.ts';
import { bentEtag, withEtag } from './fault-body.ts';
import type { Hit } from './fault-book.ts';
import type { FaultRule } from './fault-rule.ts';
import type { Answer, Form } from './types.ts';

/** Faults of size. */

const BOMB_BYTES = 400_000_000;
const HUGE_BYTES = 100_000_000;
const BLOCK = 1024 * 1024;
const BOMB_HEAD = '{"name":"bomb","list":[';
const BOMB_TAIL = '0]}';

const bombs = new Map<number, Promise<Buffer>>();

/** Compressed even when the client did not admit it: the sender of a bomb does not ask. */
export async function gzipBomb({ bytes = BOMB_BYTES }: FaultRule): Promise<Answer> {
  const bomb = bombs.get(bytes) ?? makeBomb(bytes);
  bombs.set(bytes, bomb);
  const body = await bomb;
  const headers = {
    'content-type': 'application/json',
    'content-encoding': 'gzip',
    'content-length': String(body.length),
  };
  return { status: 200, headers, body };
}

/** The asked document with versions enough for `bytes`, rendered while it is sent. Compressed, its length is not told. */
export async function huge(
  exchange: Exchange,
  { rule: { bytes = HUGE_BYTES, plain = false } }: Hit,
): Promise<Answer | undefined> {
  const {
    origin: { world, documents },
    route,
    base,
    req,
  } = exchange;
  const honest = await exchange.plain();
  const doc = world.find(route.name as string);
  if (honest.status !== 200 || !doc || doc.removed !== undefined) return undefined;
  const form: Form = honest.headers['content-type'] === 'application/json' ? 'full' : 'abbreviated';
  const text = () => Readable.from(blocks(documents.huge(doc, form, base, bytes)), { objectMode: false });
  const { 'content-length': _, ...headers } = withEtag(honest, bentEtag(honest, `huge ${bytes}`)).headers;
  if (plain || !admitsGzip(req.headers['accept-encoding'])) {
    return { status: 200, headers: { ...headers, 'content-length': String(bytes) }, body: null, stream: text };
  }
  return {
    status: 200,
    headers: { ...headers, 'content-encoding': 'gzip' },
    body: null,
    stream: () => text().pipe(createGzip({ level: 1 })),
  };
}

/** One list of noughts, `bytes` of valid JSON. zlib works on its own threads, so the server goes on meanwhile. */
async function makeBomb(bytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  const zipped = Readable.from(bombText(bytes), { objectMode: false }).pipe(createGzip({ level: 9 }));
  for await (const part of zipped as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}

function* bombText(bytes: number): Iterable<Buffer> {
  const block = Buffer.alloc(BLOCK, '0,');
  let left = bytes - BOMB_HEAD.length - BOMB_TAIL.length;
  // Items are two bytes long; a space evens out.
  yield Buffer.from(BOMB_HEAD + ' '.repeat(left % 2));
  for (left -= left % 2; left > 0; left -= BLOCK) yield left < BLOCK ? block.subarray(0, left) : block;
  yield Buffer.from(BOMB_TAIL);
}

/** Texts put together to pieces worth a write. Each waits for a turn: a fast reader would hold up all others. */
async function* blocks(texts: Iterable<string>): AsyncIterable<Buffer> {
  let block = '';
  for (const text of texts) {
    block += text;
    if (block.length < 65536) continue;
    yield Buffer.from(block);
    block = '';
    await turn();
  }
  yield Buffer.from(block);
}
