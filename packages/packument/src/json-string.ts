const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Strings are passed over by words of four bytes, whose places are told apart by their order in the word. */
const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** A piece of text that is looked at by the byte and by the word. */
export interface WordedText {
  /** Begins where a word begins: up to three bytes before the piece are seen, and are not to be looked at. */
  text: Uint8Array;
  words: Int32Array;
  /** Where the piece itself begins in `text`. */
  lead: number;
}

/** Views of a piece for {@link endOfString}; nothing is copied. */
export function worded(piece: Uint8Array): WordedText {
  const lead = piece.byteOffset & 3;
  const start = piece.byteOffset - lead;
  const text = new Uint8Array(piece.buffer, start, lead + piece.length);
  return { text, words: new Int32Array(piece.buffer, start, LITTLE_ENDIAN ? text.length >> 2 : 0), lead };
}

/**
 * The place of the quote that ends the JSON string which `from` lies in. Without one, the text's length, or one more when
 * the last byte escapes the next.
 */
export function endOfString(text: Uint8Array, words: Int32Array, from: number): number {
  let at = from;
  for (let i = at >> 2; i < words.length; i = at >> 2) {
    let marks = marksIn(words[i] as number) & (-1 << ((at & 3) << 3));
    while (marks === 0 && ++i < words.length) marks = marksIn(words[i] as number);
    at = i << 2;
    if (marks === 0) break;
    at += (31 - Math.clz32(marks & -marks)) >> 3;
    const byte = text[at];
    if (byte === QUOTE) return at;
    at += byte === BACKSLASH ? 2 : 1;
  }
  for (; at < text.length; at++) {
    if (text[at] === QUOTE) return at;
    if (text[at] === BACKSLASH) at += 1;
  }
  return at;
}

/**
 * A word with the top bit of each byte set that is a quote or a backslash. Bytes above such a byte may be marked without
 * being one (the subtraction borrows), so who asks looks at the byte itself.
 */
function marksIn(word: number): number {
  const quotes = word ^ 0x22222222;
  const backslashes = word ^ 0x5c5c5c5c;
  return (((quotes - 0x01010101) & ~quotes) | ((backslashes - 0x01010101) & ~backslashes)) & 0x80808080;
}
