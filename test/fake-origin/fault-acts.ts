import { notFound, textAnswer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import { send, sendHonest } from './exchange.ts';
import {
  badUtf8,
  corruptGzip,
  hostileKeys,
  sameEtag,
  tarballHost,
  timeUnpublished,
  unsolicited304,
  wholeCut,
  wrongEtag,
  wrongName,
} from './fault-body.ts';
import type { Hit } from './fault-book.ts';
import {
  bendFeed,
  designRows,
  feedDuplicate,
  feedFrozen,
  feedGap,
  feedShort,
  feedUnordered,
  lastSeqLow,
  nullIds,
  nullRevs,
  seqStrings,
} from './fault-feed.ts';
import { gzipBomb, huge } from './fault-large.ts';
import { bendPage, pageCut, rowsDuplicate, rowsOutside, rowsUnordered, totalMoves } from './fault-page.ts';
import type { FaultKind, FaultRule } from './fault-rule.ts';
import { drip, half, stall, wrongLength } from './fault-wire.ts';
import type { Answer } from './types.ts';

/** Answers on its own, whatever was asked. */
type Act = (exchange: Exchange, rule: FaultRule) => void | Promise<void>;
/** Bends the honest answer; undefined when that cannot have the fault. */
type Bend = (exchange: Exchange, hit: Hit) => Promise<Answer | undefined>;

const BENDS = {
  'whole-cut': wholeCut,
  'corrupt-gzip': corruptGzip,
  'wrong-etag': wrongEtag,
  'same-etag': sameEtag,
  'unsolicited-304': unsolicited304,
  'wrong-name': wrongName,
  'hostile-keys': hostileKeys,
  'bad-utf8': badUtf8,
  'time-unpublished': timeUnpublished,
  huge,
  'tarball-host': tarballHost,
  'page-cut': bendPage(pageCut),
  'rows-outside': bendPage(rowsOutside),
  'rows-duplicate': bendPage(rowsDuplicate),
  'rows-unordered': bendPage(rowsUnordered),
  'total-moves': bendPage(totalMoves),
  'seq-strings': bendFeed(seqStrings),
  'null-ids': bendFeed(nullIds),
  'design-rows': bendFeed(designRows),
  'null-revs': bendFeed(nullRevs),
  'feed-duplicate': bendFeed(feedDuplicate),
  'feed-unordered': bendFeed(feedUnordered),
  'last-seq-low': bendFeed(lastSeqLow),
  'feed-frozen': bendFeed(feedFrozen),
  'feed-gap': bendFeed(feedGap),
  'feed-short': bendFeed(feedShort),
} satisfies Partial<Record<FaultKind, Bend>>;

const ACTS: Record<Exclude<FaultKind, keyof typeof BENDS>, Act> = {
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
  stall,
  drip,
  'wrong-length': wrongLength,
  'gzip-bomb': async (exchange, rule) => send(exchange, await gzipBomb(rule)),
  empty: (exchange) => sendJson(exchange, ''),
  'json-array': (exchange) => sendJson(exchange, '[]'),
  'json-null': (exchange) => sendJson(exchange, 'null'),
  'redirect-loop': (exchange) => redirect(exchange, exchange.base),
  'redirect-host': (exchange, { to = '' }) => redirect(exchange, to.replace(/\/+$/, '')),
  'not-found': (exchange) => send(exchange, notFound()),
};

/** Answers wrongly, as the rule says, and counts it; or honestly, uncounted, when this answer cannot have the fault. */
export async function misbehave(exchange: Exchange, hit: Hit): Promise<void> {
  const { fault } = hit.rule;
  if (!isBend(fault)) {
    exchange.counters.fault(fault);
    return ACTS[fault](exchange, hit.rule);
  }
  const reads = exchange.req.method === 'GET' || exchange.req.method === 'HEAD';
  const answer = reads ? await (BENDS[fault] as Bend)(exchange, hit) : undefined;
  if (!answer) return sendHonest(exchange);
  exchange.counters.fault(fault);
  send(exchange, answer);
}

function isBend(fault: FaultKind): fault is keyof typeof BENDS {
  return Object.hasOwn(BENDS, fault);
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

/** With no ETag: these bodies must not be answered with a 304 later. */
function sendJson(exchange: Exchange, text: string): void {
  send(exchange, textAnswer(200, 'application/json', text));
}

/** To the same raw target under another base. */
function redirect(exchange: Exchange, base: string): void {
  send(exchange, textAnswer(302, 'text/plain', '', { location: `${base}${exchange.req.url}` }));
}
