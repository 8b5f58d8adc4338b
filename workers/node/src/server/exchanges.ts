import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** One answer under way. */
export class Exchange {
  readonly outgoing: ServerResponse;
  #gone = false;
  #whenGone: (() => void) | undefined;

  constructor(outgoing: ServerResponse) {
    this.outgoing = outgoing;
  }

  /** Whether the client went away. */
  get gone(): boolean {
    return this.#gone;
  }

  /** Has the last one who asks for it told when the client goes away: at once when it is gone. */
  whenGone(tell: (() => void) | undefined): void {
    this.#whenGone = tell;
    if (this.#gone) tell?.();
  }

  abandon(): void {
    this.#gone = true;
    this.#whenGone?.();
  }
}

/** Connections, and the answers under way on each; those of the hot path begin and end unseen. */
export class Exchanges {
  readonly #bySocket = new Map<Socket, Set<Exchange>>();

  get connections(): number {
    return this.#bySocket.size;
  }

  /** A connection was made. When it is gone, whatever is being answered on it is abandoned. */
  attach(socket: Socket): void {
    const open = new Set<Exchange>();
    this.#bySocket.set(socket, open);
    socket.once('close', () => {
      this.#bySocket.delete(socket);
      for (const exchange of open) exchange.abandon();
    });
  }

  begin(outgoing: ServerResponse): Exchange {
    const exchange = new Exchange(outgoing);
    const open = this.#bySocket.get(outgoing.req.socket);
    if (open) open.add(exchange);
    else exchange.abandon();
    return exchange;
  }

  end(exchange: Exchange): void {
    this.#bySocket.get(exchange.outgoing.req.socket)?.delete(exchange);
  }

  /** Whether something is being answered there. */
  busy(socket: Socket): boolean {
    return (this.#bySocket.get(socket)?.size ?? 0) > 0;
  }

  sockets(): Socket[] {
    return [...this.#bySocket.keys()];
  }

  /** Tells clients, in answers that have not begun, that their connection ends with it. */
  announceEnd(): void {
    for (const open of this.#bySocket.values()) {
      for (const { outgoing } of open) if (!outgoing.headersSent) outgoing.shouldKeepAlive = false;
    }
  }
}
