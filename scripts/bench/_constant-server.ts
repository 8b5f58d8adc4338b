/**
 * The limit of what a server on Node.js can do: `node:http` that answers everything on a port with the same bytes. Reads
 * `[{ status, headers, body }]` (flat headers, body in base64) from standard input and prints `{"ports":[…]}` in that order.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

interface Constant {
  status: number;
  headers: string[];
  body: string;
}

const constants: Constant[] = JSON.parse(await text(process.stdin));
const ports = await Promise.all(
  constants.map(async ({ status, headers, body }) => {
    const bytes = body === '' ? undefined : Buffer.from(body, 'base64');
    const server = createServer({ keepAliveTimeout: 65_000 }, (_, response) => {
      response.writeHead(status, headers);
      response.end(bytes);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }),
);
console.log(JSON.stringify({ ports }));
process.once('SIGTERM', () => process.exit(0));
