import type { ByteRange } from '@_all_docs/content';
import { type Answer, jsonAnswer, notFound } from './answer.js';
import { type HeaderLookup, isUnchanged, rangeHolds } from './conditional.js';
import { parseRange } from './range.js';
import type { Tarball } from './tarballs-body.js';

const FOR_EVER = 'public, max-age=31536000, immutable';
const NOT_FOR_LONG = 'public, max-age=300';

/** A tarball that may have to be asked for when its bytes are. */
export interface OpenedTarball extends Omit<Tarball, 'stream'> {
  stream(range?: ByteRange): ReadableStream<Uint8Array> | Promise<ReadableStream<Uint8Array>>;
}

/** The answer for a tarball, or for a range of it; 404 where no version has such a file. Rejects with the trouble there was. */
export async function answerTarball(
  tarballs: { open(name: string, file: string): Promise<OpenedTarball | undefined> },
  { name, file }: { name: string; file: string },
  method: string,
  headers: HeaderLookup,
): Promise<Answer> {
  const tarball = await tarballs.open(name, file);
  if (!tarball) return notFound();
  const { etag, size } = tarball;
  const common = [
    ...(etag === undefined ? [] : ['etag', etag]),
    'cache-control',
    tarball.immutable ? FOR_EVER : NOT_FOR_LONG,
    ...(size === undefined ? [] : ['accept-ranges', 'bytes']),
  ];
  if (etag !== undefined && isUnchanged(headers, etag, undefined)) {
    return { status: 304, headers: common, body: undefined };
  }
  const range = size === undefined || method === 'HEAD' ? undefined : wantedRange(headers, size, etag);
  if (range === 'unsatisfiable') {
    return jsonAnswer(416, { error: 'Range Not Satisfiable' }, ['content-range', `bytes */${size}`]);
  }
  const length = range ? range.end - range.start : size;
  const said = [
    'content-type',
    'application/octet-stream',
    ...(length === undefined ? [] : ['content-length', String(length)]),
    ...(range ? ['content-range', `bytes ${range.start}-${range.end - 1}/${size}`] : []),
    ...common,
  ];
  const answer = { status: range ? 206 : 200, headers: said };
  if (method === 'HEAD') return { ...answer, body: undefined };
  return { ...answer, body: tarball.bytes?.subarray(range?.start, range?.end) ?? (await tarball.stream(range)) };
}

function wantedRange(
  headers: HeaderLookup,
  size: number,
  etag: string | undefined,
): ByteRange | 'unsatisfiable' | undefined {
  const range = headers('range');
  if (range === undefined || !rangeHolds(headers('if-range'), etag)) return undefined;
  return parseRange(range, size);
}
