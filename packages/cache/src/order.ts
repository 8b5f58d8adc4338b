/**
 * Order of names and keys everywhere: by their UTF-8 bytes, as `_all_docs` and SQLite's BINARY collation have it.
 * JavaScript's own order compares UTF-16 units, which differs only where an astral character meets U+E000-U+FFFF.
 */
export function compareBytes(a: string, b: string): -1 | 0 | 1 {
  if (a === b) return 0;
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) < rank(y) ? -1 : 1;
  }
  return a.length < b.length ? -1 : 1;
}

/** Surrogates are the smaller units but stand for the larger code points: move them above U+FFFF's block. */
function rank(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800;
  return unit >= 0xd800 ? unit + 0x2000 : unit;
}
