import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { encoded } from './answer.ts';
import type { Ask, Origin } from './origin.ts';
import type { Route } from './route.ts';
import type { Counters } from './stats.ts';
import type { Answer } from './types.ts';

/** One request and the ways to answer it, honest or not. */
export class Exchange {
  readonly origin: Origin;
  readonly counters: Counters;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly route: Route;
  /** `http://` and the Host that was asked. */
  readonly base: string;

  constructor(
    origin: Origin,
    counters: Counters,
    req: IncomingMessage,
    res: ServerResponse,
    route: Route,
    base: string,
  ) {
    this.origin = origin;
    this.counters = counters;
    this.req = req;
    this.res = res;
    this.route = route;
    this.base = base;
  }

  /** What an honest origin would say. */
  honest(): Promise<Answer> {
    return this.origin.answer(this.#ask());
  }

  /** The same to a client that has nothing yet: never a 304. Perhaps as if another host had been asked. */
  whole(base = this.base): Promise<Answer> {
    return this.origin.answer({ ...this.#ask({ 'if-none-match': undefined, 'if-modified-since': undefined }), base });
  }

  /** The same, not compressed (a tarball stays the gzip file that it is), perhaps for another name. See `pack`. */
  plain(name = this.route.name): Promise<Answer> {
    const ask = this.#ask({ 'if-none-match': undefined, 'if-modified-since': undefined, 'accept-encoding': undefined });
    return this.origin.answer(name === undefined ? ask : { ...ask, route: { ...this.route, name } });
  }

  /** The answer with that body instead, compressed as asked, its length right. */
  async pack(answer: Answer, body: Buffer): Promise<Answer> {
    const changed = { ...answer, headers: { ...answer.headers, 'content-length': String(body.length) }, body };
    return this.route.kind === 'tarball' ? changed : encoded(changed, this.req.headers['accept-encoding']);
  }

  #ask(headers: Ask['headers'] = {}): Ask {
    const { req, route, base } = this;
    return { method: req.method ?? '', headers: { ...req.headers, ...headers }, route, base };
  }
}

/** Sends a whole answer and counts it. */
export function send(exchange: Exchange, answer: Answer): void {
  const { req, res, counters } = exchange;
  counters.status(answer.status);
  res.writeHead(answer.status, answer.headers);
  if (req.method === 'HEAD') res.end();
  else if (answer.stream) void sendStream(exchange, answer.stream());
  else {
    counters.bytes(answer.body?.length ?? 0);
    res.end(answer.body);
  }
}

/** No faster than the client reads. A client that goes away is no error. */
async function sendStream({ res, counters }: Exchange, source: Readable): Promise<void> {
  const counted = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      counters.bytes(chunk.length);
      yield chunk;
    }
  };
  await pipeline(source, counted, res).catch(() => res.destroy());
}

/** Sends what an honest origin would. */
export async function sendHonest(exchange: Exchange): Promise<void> {
  const answer = await exchange.honest();
  countWhenTaken(exchange, answer);
  send(exchange, answer);
}

/** Counts a true document once the client's socket took it whole. */
export function countWhenTaken({ res, route, counters }: Exchange, { status }: Answer): void {
  if (route.kind !== 'packument' || (status !== 200 && status !== 304)) return;
  res.once('finish', () => counters.served(route.name as string));
}
