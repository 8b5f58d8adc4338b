/** What the names of entries end with. */
export const SUFFIX = '.json';

/** Line ends are no part of an object's name. A tab and a letter stand for them, and for what lies around them, so that the order stays. */
const ESCAPE = '\t';
const FIRST = 0x09;
const LETTER = 'i'.charCodeAt(0);

/** A key as the beginning of names: as it is, but for line ends and tabs. Different keys give different names, in the same order. */
export function encodeKey(key: string): string {
  return key.replace(/[\t-\r]/g, (character) => ESCAPE + String.fromCharCode(character.charCodeAt(0) - FIRST + LETTER));
}

/** The name of a key's object. */
export function nameOf(key: string): string {
  return encodeKey(key) + SUFFIX;
}

/** The key of an object; `undefined` for a name that no key has. */
export function keyOf(name: string): string | undefined {
  if (!name.endsWith(SUFFIX) || name === SUFFIX) return undefined;
  const encoded = name.slice(0, -SUFFIX.length);
  if (!/^(?:[^\t-\r]|\t[i-m])*$/.test(encoded)) return undefined;
  return encoded.replace(/\t[i-m]/g, (pair) => String.fromCharCode(pair.charCodeAt(1) - LETTER + FIRST));
}

/**
 * Beginnings of a name's key that may be keys themselves, and that stand behind it in a listing by names, as what follows
 * them sorts before the ending. Shortest first; only those longer than so many characters.
 */
export function keysBehind(name: string, longerThan: number): string[] {
  const encoded = name.slice(0, -SUFFIX.length);
  const found: string[] = [];
  for (let at = Math.max(1, longerThan); at < encoded.length; at++) {
    const isEscape = encoded[at - 1] === ESCAPE;
    if (!isEscape && name.slice(at) < SUFFIX) found.push(encoded.slice(0, at));
  }
  return found;
}
