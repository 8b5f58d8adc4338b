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
import { type CheckedDocument, type PackumentForm, PackumentHead } from '@_all_docs/packument';
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
  const making = { projection: project(options), form: options.form, codec };
  const whole = await decodeWhole(source, encoding, codec);
  if (!whole) return remakePieces(codec.decodeStream(source, encoding), making);
  const made = await remakeWhole(whole, making);
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
    const { name, form } = options;
    const making = { projection: project(options), form, codec };
    // Where the bytes stay as they are nobody looks at them.
    if (!making.projection) return undefined;
    const head = new PackumentHead();
    const whole = await decodeWhole(source, encoding, codec);
    if (!whole) {
      const made = await remakePieces(head.watch(codec.decodeStream(source, encoding)), making);
      const checked = head.describe(name);
      return checked && { checked, made };
    }
    head.push(whole);
    const checked = head.describe(name);
    if (!checked) return undefined;
    const made = await remakeWhole(whole, making);
    giveBack(whole, source, made);
    return { checked, made };
  } catch {
    return undefined;
  }
}

/** How a document becomes another one; without a projection it is only packed. */
interface Making extends Pick<DeriveOptions, 'form'> {
  projection: Projection | undefined;
  codec: Codec;
}

async function remakeWhole(whole: Uint8Array, { projection, form, codec }: Making): Promise<Uint8Array> {
  if (!projection) return codec.gzip(whole, effortFor(form));
  const scanner = new MemberScanner(projection);
  projection.chunk?.(whole);
  scanner.push(whole);
  scanner.end();
  projection.finish();
  const text = projection.take();
  if (form === 'summary' || text.length === 0) return text;
  const made = await codec.gzip(text, effortFor(form));
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

async function remakePieces(
  pieces: AsyncIterable<Uint8Array>,
  { projection, form, codec }: Making,
): Promise<Uint8Array> {
  const made = remake(pieces, projection);
  if (form === 'summary') return collect(made);
  let length = 0;
  async function* counted() {
    for await (const piece of made) {
      length += piece.length;
      if (piece.length > 0) yield piece;
    }
  }
  const packed = await (codec.gzipPieces ?? pack)(counted(), effortFor(form));
  return length === 0 ? new Uint8Array() : packed;
}

/** Whoever waits for a full document waits longest. */
function effortFor(form: DeriveOptions['form']): Effort | undefined {
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
