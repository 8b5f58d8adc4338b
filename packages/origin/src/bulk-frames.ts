import { concat } from '@_all_docs/http';
import { OriginError } from './errors.js';

/*
 * Documents in bulk: frames one after another. Each has a head of 13 bytes, a text and a body:
 *
 *   u8   kind: 1 a document (text: JSON of name and metadata; body: the stored bytes), 2 a name whose document the client
 *        holds already (text: JSON of the name), 0 the end (text: JSON of BulkEnd; nothing follows)
 *   u32  length of the text, big-endian like all numbers
 *   u32  length of the body; 0 unless it is a document
 *   u32  FNV-1a over all texts so far, this one included
 *
 * So a stream that was cut, or that lost, doubled or damaged a frame, is noticed there. Bodies have digests of their own.
 */
export const DOCUMENTS_TYPE = 'application/vnd.all-docs.documents';
const HEAD_BYTES = 13;
/** No name with its metadata comes near this. */
const MOST_TEXT = 64 * 1024;
/** No document is larger: npm's own cap is 100 MB before packing. */
const MOST_BODY = 256 * 1024 * 1024;
const KINDS = ['end', 'document', 'held'] as const;

/** What the last frame says. */
export interface BulkEnd {
  documents: number;
  held: number;
  /** The first name that was left for the next request, since this answer grew too long; `null` when all was sent. */
  next: string | null;
}

export interface BulkFrame {
  kind: (typeof KINDS)[number];
  text: string;
  body: Uint8Array;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NOTHING = new Uint8Array(0);
const FIRST_SUM = 0x811c9dc5;

/** Writes frames into pieces of about `pieceBytes`, so that many small documents are one write. */
export class FrameWriter {
  readonly #pieceBytes: number;
  readonly #counts = { documents: 0, held: 0 };
  #sum = FIRST_SUM;
  #piece: Uint8Array;
  #at = 0;
  #full: Uint8Array[] = [];
  /** Bytes of all frames so far. */
  bytes = 0;

  constructor(pieceBytes = 128 * 1024) {
    this.#pieceBytes = pieceBytes;
    this.#piece = new Uint8Array(pieceBytes);
  }

  document(text: string, body: Uint8Array): void {
    this.#counts.documents += 1;
    this.#frame('document', text, body);
  }

  held(text: string): void {
    this.#counts.held += 1;
    this.#frame('held', text, NOTHING);
  }

  end(next: string | null): void {
    this.#frame('end', JSON.stringify({ ...this.#counts, next } satisfies BulkEnd), NOTHING);
    this.#flush();
  }

  /** The pieces that are full; all of them after {@link end}. */
  take(): Uint8Array[] {
    return this.#full.splice(0);
  }

  #frame(kind: BulkFrame['kind'], said: string, body: Uint8Array): void {
    const text = encoder.encode(said);
    this.#sum = addTo(this.#sum, text);
    const head = new DataView(new ArrayBuffer(HEAD_BYTES));
    head.setUint8(0, KINDS.indexOf(kind));
    head.setUint32(1, text.length);
    head.setUint32(5, body.length);
    head.setUint32(9, this.#sum);
    this.#write(new Uint8Array(head.buffer));
    this.#write(text);
    this.#write(body);
  }

  #write(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    if (bytes.length > this.#piece.length - this.#at) this.#flush();
    if (bytes.length > this.#piece.length) {
      this.#full.push(bytes);
      return;
    }
    this.#piece.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #flush(): void {
    if (this.#at === 0) return;
    this.#full.push(this.#piece.subarray(0, this.#at));
    this.#piece = new Uint8Array(this.#pieceBytes);
    this.#at = 0;
  }
}

/**
 * The frames of a stream in turn, up to its end frame. A body may be a view of a piece that came. `ERR_BAD_FRAME` for what
 * is no frame, or is not the one that was sent, and when the stream ends before its end frame.
 */
export async function* readFrames(pieces: AsyncIterator<Uint8Array>): AsyncGenerator<BulkFrame, void, undefined> {
  const reader = new PieceReader(pieces);
  let sum = FIRST_SUM;
  for (;;) {
    const head = reader.take(HEAD_BYTES) ?? (await reader.gather(HEAD_BYTES));
    const view = new DataView(head.buffer, head.byteOffset, HEAD_BYTES);
    const kind = KINDS[view.getUint8(0)];
    const [textLength, bodyLength, said] = [view.getUint32(1), view.getUint32(5), view.getUint32(9)];
    if (!kind || textLength > MOST_TEXT || bodyLength > MOST_BODY) throw badFrame('bytes that are no frame');
    const size = textLength + bodyLength;
    const frame = reader.take(size) ?? (await reader.gather(size));
    const text = frame.subarray(0, textLength);
    sum = addTo(sum, text);
    if (sum !== said) throw badFrame('a frame that is not the one that was sent');
    yield { kind, text: decoder.decode(text), body: frame.subarray(textLength) };
    if (kind === 'end') return;
  }
}

/** Reads bytes in any portions out of pieces of any size. */
class PieceReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = NOTHING;

  constructor(pieces: AsyncIterator<Uint8Array>) {
    this.#pieces = pieces;
  }

  /** The next bytes, where they lie in the piece at hand. */
  take(size: number): Uint8Array | undefined {
    if (this.#piece.length < size) return undefined;
    const taken = this.#piece.subarray(0, size);
    this.#piece = this.#piece.subarray(size);
    return taken;
  }

  /** The next bytes, when they have come. Only what lies across pieces is copied. */
  async gather(size: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for (let left = size; left > 0; ) {
      if (this.#piece.length === 0) await this.#next();
      const piece = this.#piece.subarray(0, left);
      this.#piece = this.#piece.subarray(piece.length);
      pieces.push(piece);
      left -= piece.length;
    }
    return concat(pieces, size);
  }

  async #next(): Promise<void> {
    const { done, value } = await this.#pieces.next();
    if (done) throw badFrame('an end before its last frame');
    this.#piece = value;
  }
}

/** FNV-1a, 32 bits. */
function addTo(sum: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) sum = Math.imul(sum ^ (bytes[i] as number), 0x01000193);
  return sum >>> 0;
}

/** The error for a stream that cannot be gone on with. */
export function badFrame(what: string): OriginError {
  return new OriginError('ERR_BAD_FRAME', `the stream of documents has ${what}`);
}
