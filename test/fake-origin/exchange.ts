import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Route } from './route.ts';
import type { Counters } from './stats.ts';
import type { Answer } from './types.ts';

/** One request and the ways to answer it, honest or not. */
export interface Exchange {
  req: IncomingMessage;
  res: ServerResponse;
  route: Route;
  counters: Counters;
  /** What an honest origin would say. */
  honest(): Promise<Answer>;
}

/** Sends a whole answer and counts it. */
export function send({ req, res, counters }: Exchange, answer: Answer): void {
  counters.status(answer.status);
  res.writeHead(answer.status, answer.headers);
  if (req.method === 'HEAD' || !answer.body) {
    res.end();
    return;
  }
  counters.bytes(answer.body.length);
  res.end(answer.body);
}

/** Sends what an honest origin would, and counts a document that the client's socket took whole. */
export async function sendHonest(exchange: Exchange): Promise<void> {
  const answer = await exchange.honest();
  const { res, route, counters } = exchange;
  const counts = route.kind === 'packument' && (answer.status === 200 || answer.status === 304);
  if (counts) res.once('finish', () => counters.served(route.name as string));
  send(exchange, answer);
}
