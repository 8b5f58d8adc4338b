import { ServeError } from './errors.js';

/** Where a server listens. `host` is `undefined` for every interface, of IPv6 and IPv4. */
export interface ListenAddress {
  host: string | undefined;
  /** 0: a free one. */
  port: number;
}

/** `HOST:PORT`, `[IPV6]:PORT`, or `:PORT` for every interface. `ERR_BAD_LISTEN`. */
export function parseListen(text: string): ListenAddress {
  const match = /^(?:\[([\da-f:.%]+)\]|([^:[\]/\s]*)):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) {
    const message = `cannot listen at ${JSON.stringify(text)}: it must be HOST:PORT (127.0.0.1:8080, [::1]:8080), or :PORT for every interface`;
    throw new ServeError('ERR_BAD_LISTEN', message);
  }
  return { host: match[1] ?? (match[2] || undefined), port };
}

/** A URL that reaches the server from this machine. */
export function urlOf({ host, port }: ListenAddress): string {
  if (host === undefined || host === '0.0.0.0' || host === '::') return `http://127.0.0.1:${port}`;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The error for an address that cannot be had. */
export function listenError({ host, port }: ListenAddress, cause: NodeJS.ErrnoException): ServeError {
  const where = `${host ?? ''}:${port}`;
  if (cause.code === 'EADDRINUSE') {
    const message = `${where} is in use; stop what listens there, or choose another port with --listen (127.0.0.1:0 takes a free one)`;
    return new ServeError('ERR_PORT_IN_USE', message, { cause });
  }
  if (cause.code === 'EACCES') {
    const message = `no right to listen at ${where}; choose a port above 1023 with --listen`;
    return new ServeError('ERR_PORT_DENIED', message, { cause });
  }
  return new ServeError(
    'ERR_LISTEN',
    `cannot listen at ${where}: ${cause.message}; choose another address with --listen`,
    { cause },
  );
}
