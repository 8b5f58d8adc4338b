import type { IncomingMessage } from 'node:http';

/** What a body that nobody asked for may have before its connection is closed: enough for whoever uploads a package to hear why not. */
const MOST_DISCARDED = 64 * 1024 * 1024;

/** The whole body; `undefined` as soon as it has more bytes than the limit. Rejects when the client goes away. */
export function readBody(incoming: IncomingMessage, limit: number): Promise<Uint8Array | undefined> {
  if (Number(incoming.headers['content-length'] ?? 0) > limit) return Promise.resolve(undefined);
  const chunks: Buffer[] = [];
  let length = 0;
  return new Promise((resolve, reject) => {
    const settle = (body: Uint8Array | undefined) => {
      incoming.off('data', onData);
      resolve(body);
    };
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      if (length > limit) settle(undefined);
      else chunks.push(chunk);
    };
    incoming
      .on('data', onData)
      .once('end', () => settle(Buffer.concat(chunks, length)))
      .once('error', reject);
  });
}

/** Whether a body comes after the headers. (`complete` tells nothing yet while a request is being announced.) */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Reads on without keeping anything: a client that is still sending would not hear the answer else. */
export function discardBody(incoming: IncomingMessage): void {
  if (!hasBody(incoming)) return;
  let length = 0;
  incoming.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > MOST_DISCARDED) incoming.socket.destroy();
  });
}
