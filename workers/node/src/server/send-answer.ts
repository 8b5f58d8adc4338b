import type { Answer } from '@_all_docs/registry';
import type { ServerResponse } from 'node:http';
import type { Exchange } from './exchanges.js';

/** How an answer ended. `cut`: its body failed, or was not what its headers said, and the connection was broken off. */
export interface Sent {
  ending: 'sent' | 'cut' | 'aborted';
  /** Bytes of the body that were handed to the connection. */
  bytes: number;
  /** Why it was cut. */
  error?: unknown;
}

/**
 * Sends an answer as fast as the client takes it. What cannot be sent whole is never ended cleanly: the connection is
 * reset, so that nobody takes the part for the whole. One chunk of a stream is always held back until there is more or
 * the stream has ended well: a body that fails in its last check is cut, too.
 */
export async function sendAnswer({ status, headers, body }: Answer, exchange: Exchange): Promise<Sent> {
  const { outgoing } = exchange;
  const isHead = outgoing.req.method === 'HEAD';
  outgoing.writeHead(status, headers);
  if (body instanceof ReadableStream && !isHead) return sendStream(body, lengthOf(headers), exchange);
  const bytes = body instanceof Uint8Array ? body : undefined;
  outgoing.end(bytes);
  if (body instanceof ReadableStream) await body.cancel();
  return { ending: 'sent', bytes: isHead ? 0 : (bytes?.length ?? 0) };
}

/** Breaks the connection off, in a way that no client takes for the end of an answer. */
export function breakOff(outgoing: ServerResponse): void {
  outgoing.req.socket.resetAndDestroy();
}

async function sendStream(
  body: ReadableStream<Uint8Array>,
  length: number | undefined,
  exchange: Exchange,
): Promise<Sent> {
  const reader = body.getReader();
  const leave = () => void reader.cancel(new Error('the client went away')).catch(() => {});
  exchange.whenGone(leave);
  const sent: Sent = { ending: 'sent', bytes: 0 };
  try {
    await pump(reader, length, { exchange, sent, leave });
  } catch (error) {
    leave();
    breakOff(exchange.outgoing);
    if (!exchange.gone) return { ...sent, ending: 'cut', error };
  } finally {
    exchange.whenGone(undefined);
  }
  return exchange.gone ? { ...sent, ending: 'aborted' } : sent;
}

interface Pumping {
  exchange: Exchange;
  sent: Sent;
  leave: () => void;
}

async function pump(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  length: number | undefined,
  { exchange, sent, leave }: Pumping,
): Promise<void> {
  const { outgoing } = exchange;
  let held: Uint8Array | undefined;
  let total = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (exchange.gone) return;
    if (done) break;
    total += value.length;
    if (length !== undefined && total > length) throw new Error(`the body has more than ${length} bytes`);
    if (held) {
      sent.bytes += held.length;
      if (!outgoing.write(held)) await roomIn(exchange, leave);
    }
    held = value;
  }
  if (length !== undefined && total !== length) throw new Error(`the body has ${total} of ${length} bytes`);
  sent.bytes = total;
  outgoing.end(held);
}

/** Resolves when the client has taken what it was sent, or has gone. */
async function roomIn(exchange: Exchange, leave: () => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  exchange.outgoing.once('drain', resolve);
  exchange.whenGone(() => {
    leave();
    resolve();
  });
  await promise;
}

function lengthOf(headers: readonly string[]): number | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    if ((headers[i] as string).toLowerCase() === 'content-length') return Number(headers[i + 1]);
  }
  return undefined;
}
