import { type Codec, collect, type Encoding, HttpError, LARGE_BODY_BYTES, release, webCodec } from '@_all_docs/http';
import type { PackumentForm } from '@_all_docs/packument';
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
  if (!whole) return deriveStreaming(codec.decodeStream(source, encoding), options);
  const projection = project(options);
  if (!projection) return codec.gzip(whole);
  const scanner = new MemberScanner(projection);
  projection.chunk?.(whole);
  scanner.push(whole);
  scanner.end();
  projection.finish();
  const text = projection.take();
  const made = options.form === 'summary' || text.length === 0 ? text : await codec.gzip(text);
  for (const bytes of [whole, text]) {
    if (bytes.buffer !== source.buffer && bytes.buffer !== made.buffer) release(bytes);
  }
  return made;
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

async function deriveStreaming(pieces: AsyncIterable<Uint8Array>, options: DeriveOptions): Promise<Uint8Array> {
  const made = remake(pieces, project(options));
  return options.form === 'summary' ? collect(made) : pack(made);
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

/** Gzip bytes; empty for nothing at all. */
async function pack(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const { readable, writable } = new CompressionStream('gzip');
  const packed = collect(readable);
  const writer = writable.getWriter();
  let length = 0;
  try {
    for await (const chunk of chunks) {
      length += chunk.length;
      if (chunk.length > 0) await writer.write(chunk as Uint8Array<ArrayBuffer>);
    }
    await writer.close();
  } catch (error) {
    packed.catch(() => undefined);
    await writer.abort(error).catch(() => undefined);
    throw error;
  }
  const body = await packed;
  return length === 0 ? new Uint8Array() : body;
}
