import { promisify } from 'node:util';
import { gzip, gzipSync } from 'node:zlib';
import type { Answer } from './types.ts';

const gzipLater = promisify(gzip);
const LARGE = 64 * 1024;

export function jsonAnswer(status: number, value: unknown, headers: Record<string, string> = {}): Answer {
  return textAnswer(status, 'application/json', JSON.stringify(value), headers);
}

export function textAnswer(status: number, type: string, text: string, headers: Record<string, string> = {}): Answer {
  const body = Buffer.from(text);
  return { status, headers: { 'content-type': type, ...headers, 'content-length': String(body.length) }, body };
}

export function badRequest(reason: string): Answer {
  return jsonAnswer(400, { error: 'Bad Request', reason });
}

/** The public registry's words; its CDN keeps a 404 as long as a document. */
export function notFound(reason = 'Not found'): Answer {
  return jsonAnswer(404, { error: reason }, { 'cache-control': 'public, max-age=300' });
}

export function notAllowed(method: string, allow: string): Answer {
  return jsonAnswer(405, { code: 'MethodNotAllowedError', message: `${method} is not allowed` }, { allow });
}

/** Whether `Accept-Encoding` admits gzip: named, and not with a weight of zero. */
export function admitsGzip(accept: string | undefined): boolean {
  return /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(accept ?? '');
}

/** Level 1: the fake shares its cores with what it tests. Small bodies are not worth a trip to another thread. */
export async function compress(body: Buffer): Promise<Buffer> {
  if (body.length >= LARGE) return gzipLater(body, { level: 1 });
  // Copied, because zlib's result holds on to a whole chunk, and the cache counts only what it sees.
  return Buffer.from(gzipSync(body, { level: 1, chunkSize: 4096 }));
}

/** The same answer, compressed when the client admits it. */
export async function encoded(answer: Answer, acceptEncoding: string | undefined): Promise<Answer> {
  if (!answer.body || !admitsGzip(acceptEncoding)) return answer;
  const body = await compress(answer.body);
  const headers = { ...answer.headers, 'content-encoding': 'gzip', 'content-length': String(body.length) };
  return { ...answer, headers, body };
}
