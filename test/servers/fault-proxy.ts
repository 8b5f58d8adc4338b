import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What becomes of a request. `drop-answer`: it reaches the server, whose answer is lost. `cut-answer`: some bytes of it come; `cut-body`: its head does. */
type Fault =
  | 'pass'
  | 'reset'
  | 'drop-answer'
  | 'cut-answer'
  | 'cut-body'
  | 'slow-down'
  | { delayMs: number }
  | Answered;

/** What the proxy itself answers in the server's place: a status line's end, and a document. */
interface Answered {
  status: string;
  type: string;
  text: string;
}

export interface FaultProxy {
  url: string;
  /** Decides for each request by its first line (`PUT /bucket/key HTTP/1.1`); all pass unless told. */
  decide: (line: string) => Fault;
  requests: number;
  stop(): Promise<void>;
}

const SLOW_DOWN: Answered = {
  status: '503 Slow Down',
  type: 'application/xml',
  text: '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>',
};

/**
 * Stands before a server and makes trouble on the wire. Bytes are passed on as they are, so that signatures hold; each
 * connection carries one request, which both sides are told.
 */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
    return socket;
  };
  const proxy = { decide: (): Fault => 'pass', requests: 0 } as unknown as FaultProxy;
  const server = createServer((client) => {
    keep(client);
    client.once('data', (first) => {
      client.pause();
      proxy.requests += 1;
      const fault = proxy.decide(first.subarray(0, first.indexOf('\r\n')).toString('latin1'));
      if (fault === 'reset') return void client.resetAndDestroy();
      const answered = fault === 'slow-down' ? SLOW_DOWN : fault;
      if (typeof answered === 'object' && 'status' in answered) {
        const { status, type, text } = answered;
        const head = `HTTP/1.1 ${status}\r\ncontent-type: ${type}\r\ncontent-length: ${text.length}\r\nconnection: close\r\n\r\n`;
        // What is still being sent is read, or the answer would be lost with the connection.
        client.resume();
        return void client.end(head + text);
      }
      setTimeout(() => pass(client, first, fault), typeof fault === 'object' && 'delayMs' in fault ? fault.delayMs : 0);
    });
  });
  function pass(client: Socket, first: Buffer, fault: Fault): void {
    const upstream = keep(connect(Number(port), hostname));
    upstream.write(closing(first));
    client.pipe(upstream, { end: false });
    client.on('close', () => upstream.destroy());
    let passed = 0;
    upstream.on('data', (bytes) => {
      if (fault === 'drop-answer') return void client.resetAndDestroy();
      if (fault === 'cut-answer' && passed + bytes.length > 400) {
        client.write(bytes.subarray(0, Math.max(0, 400 - passed)), () => client.resetAndDestroy());
        return;
      }
      if (fault === 'cut-body') {
        const end = bytes.indexOf('\r\n\r\n');
        return void client.write(bytes.subarray(0, end + 4), () => client.resetAndDestroy());
      }
      passed += bytes.length;
      client.write(bytes);
    });
    upstream.on('end', () => client.end());
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  proxy.stop = async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  return proxy;
}

/** The head with `connection: close` in place of whatever it says there. */
function closing(first: Buffer): Buffer {
  const end = first.indexOf('\r\n\r\n');
  if (end < 0) return first;
  const head = first
    .subarray(0, end)
    .toString('latin1')
    .replace(/\r\nconnection:[^\r]*/gi, '');
  return Buffer.concat([Buffer.from(`${head}\r\nconnection: close`, 'latin1'), first.subarray(end)]);
}
