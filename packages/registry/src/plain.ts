/**
 * Whether a text is what nearly every package name is: letters, digits, dots, hyphens and underscores, the first
 * one a letter or digit. By character: where nothing is compiled, a request's first regular expression is a twentieth of it.
 */
export function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const lower = code | 0x20;
    const isAlphanumeric = (code >= 0x30 && code <= 0x39) || (lower >= 0x61 && lower <= 0x7a);
    if (!isAlphanumeric && (i === 0 || (code !== 0x2d && code !== 0x2e && code !== 0x5f))) return false;
  }
  return text !== '';
}
