import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import { type AnswerContext, answer, loggedPath, sendProblem } from './answer.js';
import { notAllowed } from './check-request.js';
import { Counters, type Snapshot } from './counters.js';
import { Exchanges } from './exchanges.js';
import { type Limits, withDefaults } from './limits.js';
import { type ListenAddress, listenError, urlOf } from './listen-address.js';
import { createServer as createHttpServer } from './node-http.js';
import { isOperation, needsNoToken, type ServerState } from './operations.js';
import { type Problem, parseProblem, rawAnswer, UNAUTHORIZED, UNKNOWN_EXPECTATION } from './problem.js';
import { type RouteLabel, routeLabel, takesBody } from './routes.js';
import type { Sent } from './send-answer.js';
import { withoutQuery } from './target.js';
import type { CreateServerOptions, ServedRegistry } from './types.js';

/** How often connections are looked at for requests that take too long. */
const CHECK_MS = 1_000;
/** How long a draining server leaves idle connections open: a request on its way is then answered, not cut off. */
const LINGER_MS = 250;

/** Serves a registry over HTTP/1.1. */
export function createServer(options: CreateServerOptions): RegistryServer {
  return new RegistryServer(options);
}

/**
 * A registry on a port. A request is first looked up in memory, synchronously, with nothing else done on that path;
 * else it is one of the server's own (health, metrics, status) or the registry's to answer.
 */
export class RegistryServer {
  readonly #options: CreateServerOptions;
  readonly #limits: Limits;
  readonly #server: Server;
  readonly #counters = new Counters();
  readonly #exchanges = new Exchanges();
  readonly #context: AnswerContext;
  #registry: ServedRegistry | undefined;
  #state: ServerState = 'starting';
  #lingering = true;
  #drained: Promise<void> | undefined;

  constructor(options: CreateServerOptions) {
    this.#options = options;
    this.#limits = withDefaults(options.limits);
    this.#context = {
      registry: Promise.resolve(options.registry),
      operations: {
        state: () => this.#state,
        collect: options.collect ?? (async () => ({ snapshot: this.snapshot(), fleet: { workers: 1, restarts: 0 } })),
        about: options.about ?? (() => ({})),
        feed: options.feed ?? (async () => undefined),
      },
      limits: this.#limits,
      logger: options.logger,
    };
    this.#server = this.#createServer();
    this.#context.registry.then(
      (registry) => {
        this.#registry = registry;
        if (this.#state === 'starting') this.#state = 'ready';
      },
      // Whoever handed the promise in hears of it there; requests that wait for it fail.
      () => {},
    );
  }

  get state(): ServerState {
    return this.#state;
  }

  /** Listens, and gives the URL. `ERR_PORT_IN_USE`, `ERR_PORT_DENIED`, `ERR_LISTEN`. */
  async listen(address: ListenAddress): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    this.#server.listen({ ...address, backlog: 1024 }, resolve);
    try {
      await promise;
    } catch (error) {
      throw listenError(address, error as NodeJS.ErrnoException);
    } finally {
      this.#server.off('error', reject);
    }
    return urlOf({ ...address, port: (this.#server.address() as AddressInfo).port });
  }

  snapshot(): Snapshot {
    return this.#counters.snapshot(this.#exchanges.connections, this.#registry?.stats() ?? {});
  }

  /**
   * Takes no new connections, ends the answers under way, closes idle connections, and resolves when all are gone. What
   * is left after `limitMs` is cut. A second call waits for the first.
   */
  drain(limitMs: number): Promise<void> {
    this.#drained ??= this.#drain(limitMs);
    return this.#drained;
  }

  #createServer(): Server {
    const { headerBytes, headersMs, requestMs, stallMs, keepAliveMs, connections } = this.#limits;
    const server = createHttpServer({
      maxHeaderSize: headerBytes,
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: Math.min(CHECK_MS, headersMs),
      keepAliveTimeout: keepAliveMs,
      // We say it ourselves, in JSON.
      requireHostHeader: false,
    });
    server.maxConnections = connections;
    server.timeout = stallMs;
    return server
      .on('request', (incoming, outgoing) => this.#onRequest(incoming, outgoing))
      .on('checkContinue', (incoming, outgoing) => this.#onContinue(incoming, outgoing))
      .on('checkExpectation', (_, outgoing) => this.#refuse(outgoing, UNKNOWN_EXPECTATION))
      .on('connect', ({ method }, socket) => this.#endRaw(socket as Socket, notAllowed(`${method} is not allowed`)))
      .on('connection', (socket) => this.#exchanges.attach(socket))
      .on('clientError', (error, socket) => this.#onClientError(error, socket as Socket))
      .on('drop', () => {
        this.#counters.dropped += 1;
      });
  }

  #onRequest(incoming: IncomingMessage, outgoing: ServerResponse): void {
    if (this.#state === 'draining') outgoing.shouldKeepAlive = false;
    if (this.#options.authorize && !this.#mayPass(incoming)) this.#refuse(outgoing, UNAUTHORIZED);
    else if (!this.#answerFromMemory(incoming, outgoing)) void this.#answer(incoming, outgoing);
  }

  /** The hot path: nothing is waited for, and one write carries all. `false` when it has no answer. */
  #answerFromMemory(incoming: IncomingMessage, outgoing: ServerResponse): boolean {
    const { headers } = incoming;
    const hot =
      headers.host === undefined
        ? undefined
        : this.#registry?.hot(
            incoming.method as string,
            incoming.url as string,
            (name) => headers[name] as string | undefined,
          );
    if (hot === undefined) return false;
    outgoing.writeHead(hot.status, hot.headers);
    outgoing.end(hot.body);
    const bytes = hot.body?.length ?? 0;
    this.#counters.hot((incoming.url as string).endsWith('.tgz') ? 'tarball' : 'packument', hot.status, bytes);
    if (this.#options.accessLog) this.#log(outgoing, { ending: 'sent', bytes }, performance.now());
    return true;
  }

  /** `expect: 100-continue`: the body is asked for only where it is wanted. */
  #onContinue(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const length = Number(incoming.headers['content-length'] ?? 0);
    if (takesBody(incoming.method, incoming.url ?? '') && length <= this.#limits.bodyBytes) outgoing.writeContinue();
    else outgoing.shouldKeepAlive = false;
    this.#onRequest(incoming, outgoing);
  }

  async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const startedAt = performance.now();
    const exchange = this.#exchanges.begin(outgoing);
    this.#counters.inFlight += 1;
    const sent = await answer(exchange, this.#context);
    this.#counters.inFlight -= 1;
    this.#exchanges.end(exchange);
    this.#count(outgoing, sent);
    if (this.#options.accessLog) this.#log(outgoing, sent, startedAt);
    if (!this.#lingering) this.#closeIdle(incoming.socket);
  }

  #mayPass({ headers, url = '' }: IncomingMessage): boolean {
    return needsNoToken(withoutQuery(url)) || this.#options.authorize?.(headers.authorization) === true;
  }

  #refuse(outgoing: ServerResponse, problem: Problem): void {
    const sent = sendProblem(outgoing, problem);
    this.#count(outgoing, sent);
    if (this.#options.accessLog) this.#log(outgoing, sent, performance.now());
  }

  #count({ req, statusCode }: ServerResponse, { ending, bytes, error }: Sent): void {
    const label: RouteLabel = isOperation(withoutQuery(req.url ?? '')) ? 'operations' : routeLabel(req.url ?? '');
    this.#counters.answered(label, statusCode);
    this.#counters.bytes += bytes;
    if (ending === 'sent') return;
    this.#counters[ending] += 1;
    if (ending === 'cut')
      this.#options.logger?.warn?.('an answer was cut', { path: loggedPath(req), error: String(error) });
  }

  #log({ req, statusCode }: ServerResponse, { ending, bytes }: Sent, startedAt: number): void {
    this.#options.logger?.info?.('request', {
      method: req.method,
      path: loggedPath(req),
      status: statusCode,
      bytes,
      ms: Math.round((performance.now() - startedAt) * 10) / 10,
      ...(ending === 'sent' ? {} : { ending }),
      remote: req.socket.remoteAddress,
      userAgent: req.headers['user-agent'],
      ...this.#options.logFields?.(req),
    });
  }

  /** Bytes that are no request, or come too slowly. */
  #onClientError({ code }: NodeJS.ErrnoException, socket: Socket): void {
    // Nothing may be written between the pieces of an answer that is under way.
    if (!socket.writable || this.#exchanges.busy(socket)) return void socket.destroy();
    this.#endRaw(socket, parseProblem(code));
  }

  #endRaw(socket: Socket, problem: Problem): void {
    this.#counters.answered('malformed', problem.status);
    socket.end(rawAnswer(problem), () => socket.destroy());
  }

  async #drain(limitMs: number): Promise<void> {
    this.#state = 'draining';
    this.#exchanges.announceEnd();
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    // `close` of an HTTP server would destroy connections whose answer is not yet handed to the system whole.
    NetServer.prototype.close.call(this.#server, () => resolve());
    const linger = setTimeout(
      () => {
        this.#lingering = false;
        for (const socket of this.#exchanges.sockets()) this.#closeIdle(socket);
      },
      Math.min(LINGER_MS, limitMs),
    );
    const cut = setTimeout(() => {
      for (const socket of this.#exchanges.sockets()) socket.destroy();
    }, limitMs);
    await closed;
    clearTimeout(linger);
    clearTimeout(cut);
    // What it has besides: a timer that looks for slow requests.
    this.#server.close();
    this.#counters.close();
  }

  /** Ends a connection on which nothing is being answered, when all was handed over. */
  #closeIdle(socket: Socket): void {
    if (!this.#exchanges.busy(socket)) socket.destroySoon();
  }
}
