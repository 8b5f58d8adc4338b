import {
  type Codec,
  collect,
  type Effort,
  type Encoding,
  HttpError,
  LARGE_BODY_BYTES,
  release,
  webCodec,
} from '@_all_docs/http';
import { type CheckedDocument, describePackument, HEAD_BYTES, type PackumentForm } from '@_all_docs/packument';
import { Abbreviation } from './abbreviate.js';
import { MemberScanner } from './member-scanner.js';
import type { Projection } from './projection.js';
import { Rewriting, VersionCut } from './rewrite.js';
import { Summarizing } from './summary.js';

/** What is made of a stored document. */
export interface DeriveOptions {
  /** Name of the package that the document is of. */
  name: string;
  /** `version` is one version's manifest; `summary` is our own: tags, and what each version says of its tarball. */
  form: PackumentForm | 'version' | 'summary';
  /** The version that is cut out, for `version`; the only one that is told of, for `summary`. */
  version?: string | undefined;
  /** Tarball URLs are written below this one (it ends with a slash); as the origin wrote them when absent. */
  base?: string | undefined;
}

/** Larger documents are taken apart while they are unpacked: they never lie in memory whole, and others get their turn between two pieces. */
const LARGEST_WHOLE = LARGE_BODY_BYTES;

/**
 * Another form of a document: gzip bytes, but identity bytes for `summary`, and nothing for a `version` that is not there. Pure,
 * so that any thread can do it. Rejects with `ERR_BAD_PACKUMENT`, a `SyntaxError` or `ERR_ENCODING` for a document that is damaged.
 */
export async function deriveDocument(
  source: Uint8Array,
  encoding: Encoding,
  options: DeriveOptions,
  codec: Codec = webCodec,
): Promise<Uint8Array> {
  const whole = await decodeWhole(source, encoding, codec);
  if (!whole) return deriveStreaming(codec.decodeStream(source, encoding), options, codec);
  const made = await remakeWhole(whole, options, codec);
  giveBack(whole, source, made);
  return made;
}

/** A document that has just come, and another form of it. */
export interface CheckedAndDerived {
  checked: CheckedDocument;
  /** As `deriveDocument` gives it. */
  made: Uint8Array;
}

/**
 * `checkPackument` with `crc`, and `deriveDocument`, out of one pass over the document. `undefined` where they have to be
 * done one by one: the document does not begin as others do, or something is wrong with it, and the check says what.
 */
export async function checkAndDerive(
  source: Uint8Array,
  encoding: Encoding,
  options: DeriveOptions,
  codec: Codec = webCodec,
): Promise<CheckedAndDerived | undefined> {
  try {
    if (!project(options)) return undefined;
    const whole = await decodeWhole(source, encoding, codec);
    if (!whole) return await checkAndDeriveStreaming(codec.decodeStream(source, encoding), options, codec);
    const checked = describePackument(options.name, whole.subarray(0, HEAD_BYTES));
    if (!checked) return undefined;
    const made = await remakeWhole(whole, options, codec);
    giveBack(whole, source, made);
    return { checked, made };
  } catch {
    return undefined;
  }
}

async function remakeWhole(whole: Uint8Array, options: DeriveOptions, codec: Codec): Promise<Uint8Array> {
  const projection = project(options);
  if (!projection) return codec.gzip(whole, effortFor(options));
  const scanner = new MemberScanner(projection);
  projection.chunk?.(whole);
  scanner.push(whole);
  scanner.end();
  projection.finish();
  const text = projection.take();
  if (options.form === 'summary' || text.length === 0) return text;
  const made = await codec.gzip(text, effortFor(options));
  if (text.buffer !== whole.buffer) giveBack(text, whole, made);
  return made;
}

/** Lets go of unpacked bytes that are in neither of the others. */
function giveBack(bytes: Uint8Array, source: Uint8Array, made: Uint8Array): void {
  if (bytes.buffer !== source.buffer && bytes.buffer !== made.buffer) release(bytes);
}

/** `undefined` where the bytes stay as they are. */
function project({ name, form, version, base }: DeriveOptions): Projection | undefined {
  switch (form) {
    case 'summary':
      return new Summarizing(version);
    case 'version':
      return new VersionCut(name, version as string, base);
    case 'abbreviated':
      return new Abbreviation(name, base);
    default:
      return base === undefined ? undefined : new Rewriting(name, base);
  }
}

/** Identity bytes; `undefined` when there are too many of them. */
async function decodeWhole(source: Uint8Array, encoding: Encoding, codec: Codec): Promise<Uint8Array | undefined> {
  if (encoding === 'identity' && source.length > LARGEST_WHOLE) return undefined;
  try {
    return await codec.decode(source, encoding, LARGEST_WHOLE);
  } catch (error) {
    if (error instanceof HttpError && error.code === 'ERR_TOO_LARGE') return undefined;
    throw error;
  }
}

async function deriveStreaming(
  pieces: AsyncIterable<Uint8Array>,
  options: DeriveOptions,
  codec: Codec,
): Promise<Uint8Array> {
  const made = remake(pieces, project(options));
  if (options.form === 'summary') return collect(made);
  let length = 0;
  async function* counted() {
    for await (const piece of made) {
      length += piece.length;
      if (piece.length > 0) yield piece;
    }
  }
  const packed = await (codec.gzipPieces ?? pack)(counted(), effortFor(options));
  return length === 0 ? new Uint8Array() : packed;
}

async function checkAndDeriveStreaming(
  pieces: AsyncIterable<Uint8Array>,
  options: DeriveOptions,
  codec: Codec,
): Promise<CheckedAndDerived | undefined> {
  const start = new Uint8Array(HEAD_BYTES);
  let held = 0;
  async function* watched() {
    for await (const piece of pieces) {
      const taken = piece.subarray(0, HEAD_BYTES - held);
      start.set(taken, held);
      held += taken.length;
      yield piece;
    }
  }
  const made = await deriveStreaming(watched(), options, codec);
  const checked = describePackument(options.name, start.subarray(0, held));
  return checked && { checked, made };
}

/** Whoever waits for a full document waits longest. */
function effortFor({ form }: DeriveOptions): Effort | undefined {
  return form === 'full' ? 'brisk' : undefined;
}

async function* remake(chunks: AsyncIterable<Uint8Array>, projection?: Projection): AsyncIterable<Uint8Array> {
  if (!projection) return yield* chunks;
  const scanner = new MemberScanner(projection);
  for await (const chunk of chunks) {
    projection.chunk?.(chunk);
    scanner.push(chunk);
    yield projection.take();
  }
  scanner.end();
  projection.finish();
  yield projection.take();
}

/** Gzip bytes of what comes in pieces. */
async function pack(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const { readable, writable } = new CompressionStream('gzip');
  const packed = collect(readable);
  const writer = writable.getWriter();
  try {
    for await (const piece of pieces) await writer.write(piece as Uint8Array<ArrayBuffer>);
    await writer.close();
  } catch (error) {
    packed.catch(() => undefined);
    await writer.abort(error).catch(() => undefined);
    throw error;
  }
  return packed;
}
