/** Origins of a test's own on free ports, gone after each test with all their connections. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net';
import { afterEach } from 'vitest';

/** Those that run now, the newest last. */
export const open: (Server | TcpServer)[] = [];
/** Their connections. */
export const sockets = new Set<Socket>();

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await Promise.all(open.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

export async function listen(server: Server | TcpServer): Promise<string> {
  open.push(server);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
/** A server that answers so. */
export const serve = (handle: (request: IncomingMessage, response: ServerResponse) => void) =>
  listen(createServer(handle));
/** A server that answers with these bytes, whatever it is asked, and then hangs up. */
export const answer = (text: string, end: (socket: Socket) => void = (socket) => socket.end()) =>
  listen(createTcpServer((socket) => socket.once('data', () => socket.write(text, () => end(socket)))));
