import { once } from 'node:events';
import { STATUS_CODES } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Exchange } from './exchange.ts';
import { countWhenTaken } from './exchange.ts';
import type { FaultRule } from './fault-rule.ts';

/** Faults of the connection: what goes out is true, but not how. */

const NOTHING = Buffer.alloc(0);

/** The first half of the honest body, then the end of the connection. Without a length it is sent in chunks. */
export async function half(exchange: Exchange, withLength: boolean): Promise<void> {
  const { req, res, counters } = exchange;
  const answer = await exchange.honest();
  const { 'content-length': length, ...rest } = answer.headers;
  const body = answer.body ?? NOTHING;
  counters.status(answer.status);
  res.writeHead(answer.status, withLength && length !== undefined ? answer.headers : rest);
  const part = firstHalf(body);
  counters.bytes(part.length);
  if (part.length === 0) res.flushHeaders();
  // The callback comes when the system has the bytes, so the client gets them before the end.
  res.write(part, () => req.socket.destroy());
}

/** Says nothing, or no more, until the client or `close()` ends the connection. No timer is left behind. */
export async function stall(exchange: Exchange, { at = 'start' }: FaultRule): Promise<void> {
  if (at === 'start') return;
  const { res, counters } = exchange;
  const answer = await exchange.whole();
  counters.status(answer.status);
  res.writeHead(answer.status, answer.headers);
  res.flushHeaders();
  if (at === 'headers') return;
  const part = bodyOf(exchange, firstHalf(answer.body));
  counters.bytes(part.length);
  res.write(part);
}

/** The whole true body, a little at a time. Counts as served when the client waits for all of it. */
export async function drip(exchange: Exchange, { msPerChunk = 100, chunkBytes = 64 }: FaultRule): Promise<void> {
  const { res, counters } = exchange;
  const gone = new AbortController();
  res.once('close', () => gone.abort());
  const answer = await exchange.whole();
  countWhenTaken(exchange, answer);
  counters.status(answer.status);
  res.writeHead(answer.status, answer.headers);
  res.flushHeaders();
  let left = bodyOf(exchange, answer.body);
  while (left.length > chunkBytes) {
    counters.bytes(chunkBytes);
    if (!res.write(left.subarray(0, chunkBytes)))
      await once(res, 'drain', { signal: gone.signal }).catch(() => undefined);
    await sleep(msPerChunk, undefined, { signal: gone.signal }).catch(() => undefined);
    // Ending what is gone would look like a body that was taken whole.
    if (gone.signal.aborted) return;
    left = left.subarray(chunkBytes);
  }
  counters.bytes(left.length);
  res.end(left);
}

/**
 * A Content-Length that is off by `by`, straight onto the socket. With too large a one the connection ends after
 * the body; with too small a one it stays open, and the rest of the body lies where the next answer should begin.
 */
export async function wrongLength(exchange: Exchange, { by = 0 }: FaultRule): Promise<void> {
  const { req, counters } = exchange;
  const answer = await exchange.whole();
  const length = Math.max(0, (answer.body?.length ?? 0) + by);
  const body = bodyOf(exchange, answer.body);
  counters.status(answer.status);
  counters.bytes(body.length);
  const headers = { ...answer.headers, date: new Date().toUTCString(), 'content-length': String(length) };
  const head = Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  req.socket.write(`HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status]}\r\n${head}\r\n`);
  req.socket.write(body);
  if (by > 0) req.socket.end();
}

function firstHalf(body: Buffer | null): Buffer {
  return body?.subarray(0, Math.floor(body.length / 2)) ?? NOTHING;
}

/** What may follow the headers: nothing when only those were asked. */
function bodyOf({ req }: Exchange, body: Buffer | null): Buffer {
  return req.method === 'HEAD' ? NOTHING : (body ?? NOTHING);
}
