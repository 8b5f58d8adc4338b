import { textAnswer } from './answer.ts';
import { send } from './exchange.ts';
import type { Exchange } from './exchange.ts';
import type { FaultKind, FaultRule } from './fault-rule.ts';

type Act = (exchange: Exchange, rule: FaultRule) => void | Promise<void>;

const ACTS: Record<FaultKind, Act> = {
  429: tooMany,
  'rate-limit': tooMany,
  500: (exchange) => sendJsonError(exchange, 500, 'Internal Server Error'),
  502: (exchange) => sendPage(exchange, 502, 'Bad gateway'),
  503: (exchange, rule) => sendPage(exchange, 503, 'Service unavailable', retryAfter(rule)),
  reset: ({ req }) => void req.socket.resetAndDestroy(),
  'reset-body': (exchange) => half(exchange, true),
  'cut-body': (exchange) => half(exchange, false),
  'html-200': (exchange) => sendPage(exchange, 200, 'Sign in to continue'),
  'html-403': (exchange) => sendPage(exchange, 403, 'Sorry, you have been blocked'),
  'html-404': (exchange) => sendPage(exchange, 404, 'Not found'),
};

/** Answers wrongly, as the rule says, and counts it. */
export async function misbehave(exchange: Exchange, rule: FaultRule): Promise<void> {
  exchange.counters.fault(rule.fault);
  await ACTS[rule.fault](exchange, rule);
}

/** As the CDN in front of the public registry does: a page, not JSON. */
function tooMany(exchange: Exchange, rule: FaultRule): void {
  sendPage(exchange, 429, 'You are being rate limited (error 1015)', retryAfter(rule));
}

function retryAfter({ retryAfter: value, afterSeconds }: FaultRule): Record<string, string> {
  if (value === undefined) return {};
  if (value !== 'date') return { 'retry-after': value };
  // Dates have whole seconds; round up so that the wait is never shorter than asked.
  const at = Math.ceil(Date.now() / 1000 + (afterSeconds ?? 1)) * 1000;
  return { 'retry-after': new Date(at).toUTCString() };
}

function sendPage(exchange: Exchange, status: number, title: string, headers: Record<string, string> = {}): void {
  const html = `<!DOCTYPE html>\n<html lang="en-US"><head><title>${title}</title></head>\n<body><h1>${title}</h1></body></html>\n`;
  send(exchange, textAnswer(status, 'text/html; charset=UTF-8', html, headers));
}

function sendJsonError(exchange: Exchange, status: number, error: string): void {
  send(exchange, textAnswer(status, 'application/json', JSON.stringify({ error })));
}

/** The first half of the honest body, then the end of the connection. Without a length it is sent in chunks. */
async function half(exchange: Exchange, withLength: boolean): Promise<void> {
  const { req, res, counters } = exchange;
  const answer = await exchange.honest();
  const { 'content-length': length, ...rest } = answer.headers;
  const body = answer.body ?? Buffer.alloc(0);
  counters.status(answer.status);
  res.writeHead(answer.status, withLength && length !== undefined ? answer.headers : rest);
  const part = body.subarray(0, Math.floor(body.length / 2));
  counters.bytes(part.length);
  if (part.length === 0) res.flushHeaders();
  // The callback comes when the system has the bytes, so the client gets them before the end.
  res.write(part, () => req.socket.destroy());
}
