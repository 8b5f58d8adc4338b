import type { AnswerRequest } from '@_all_docs/registry';
import type { Logger } from '@_all_docs/worker';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { checkRequest, notAllowed } from './check-request.js';
import type { Exchange } from './exchanges.js';
import type { Limits } from './limits.js';
import { answerOperation, isOperation, type OperationsOptions } from './operations.js';
import { type Problem, problemBody, problemHeaders } from './problem.js';
import { discardBody, readBody } from './read-body.js';
import { takesBody } from './routes.js';
import { breakOff, type Sent, sendAnswer } from './send-answer.js';
import { parseTarget, type Target, withoutQuery } from './target.js';
import type { ServedRegistry } from './types.js';

export interface AnswerContext {
  registry: Promise<ServedRegistry>;
  operations: OperationsOptions;
  limits: Limits;
  logger: Logger | undefined;
}

/** Answers a request that was not answered from memory. Never rejects. */
export async function answer(exchange: Exchange, context: AnswerContext): Promise<Sent> {
  try {
    return await route(exchange, context);
  } catch (error) {
    if (exchange.gone) return { ending: 'aborted', bytes: 0 };
    const { outgoing } = exchange;
    context.logger?.error?.('a request failed', { path: loggedPath(outgoing.req), error: String(error) });
    if (!outgoing.headersSent) return sendProblem(outgoing, FAILED);
    breakOff(outgoing);
    return { ending: 'cut', bytes: 0, error };
  }
}

async function route(exchange: Exchange, { registry, operations, limits }: AnswerContext): Promise<Sent> {
  const { outgoing } = exchange;
  const incoming = outgoing.req;
  const { method = '', url = '' } = incoming;
  const problem = checkRequest(incoming, limits.targetLength);
  if (problem) return sendProblem(outgoing, problem);
  const target = parseTarget(url);
  if (!target) return sendProblem(outgoing, NO_PATH);
  const path = withoutQuery(target.path);
  if (isOperation(path)) return sendOperation(path, outgoing, operations);
  let body: Uint8Array | undefined;
  if (takesBody(method, target.path)) {
    body = await readBody(incoming, limits.bodyBytes);
    if (!body) return sendProblem(outgoing, tooLarge(limits.bodyBytes));
  } else discardBody(incoming);
  const given = await (await registry).answer(requestOf(incoming, target, body), target.path);
  return sendAnswer(given, exchange);
}

/** The request as the registry sees it. The Host header stays as it came, unless the target itself names the host. */
function requestOf({ method = '', headers }: IncomingMessage, target: Target, body?: Uint8Array): AnswerRequest {
  const host = target.host ?? headers.host;
  return {
    method,
    headers: { get: (name) => (name === 'host' ? host : (headers[name] as string | undefined)) ?? null },
    // Asked for its host only, and only where there is no Host header: in HTTP/1.0.
    url: 'http://localhost/',
    body: body ? once(body) : null,
  };
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

/** Answers with an error. */
export function sendProblem(outgoing: ServerResponse, problem: Problem): Sent {
  const body = problemBody(problem);
  discardBody(outgoing.req);
  outgoing.writeHead(problem.status, problemHeaders(problem, body));
  outgoing.end(body);
  return { ending: 'sent', bytes: outgoing.req.method === 'HEAD' ? 0 : body.length };
}

async function sendOperation(path: string, outgoing: ServerResponse, options: OperationsOptions): Promise<Sent> {
  const { method } = outgoing.req;
  if (method !== 'GET' && method !== 'HEAD') return sendProblem(outgoing, notAllowed(`${method} is not allowed here`));
  const { status, type, body } = await answerOperation(path, options);
  const bytes = Buffer.from(body);
  const length = String(bytes.length);
  outgoing.writeHead(status, ['content-type', type, 'content-length', length, 'cache-control', 'no-store']);
  outgoing.end(bytes);
  return { ending: 'sent', bytes: method === 'HEAD' ? 0 : bytes.length };
}

/** What may stand in a log: no query, since those carry secrets at times, and nothing of a host or a user. */
export function loggedPath({ url = '' }: IncomingMessage): string {
  return withoutQuery(parseTarget(url)?.path ?? '');
}

const FAILED: Problem = { status: 500, code: 'ERR_INTERNAL', error: 'this server failed; its log says why' };
const NO_PATH: Problem = { status: 400, code: 'ERR_BAD_REQUEST', error: 'the URL must be a path' };

function tooLarge(limit: number): Problem {
  return { status: 413, code: 'ERR_TOO_LARGE', error: `the body of the request has more than ${limit} bytes` };
}
