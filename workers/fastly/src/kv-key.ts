/**
 * What the KV Store takes in no key, or not everywhere in it: control characters, `#;?^|`, and dots beside slashes. Each
 * is written as a character that KV takes, and two hex digits. Those characters (`!`, `.`, `<`, `_`, `}`) are written so,
 * too, and each stands for a row of neighbours: so different keys stay different, in the same order, under the same prefixes.
 */
const ESCAPED = /[\0-#;-?^_|-\x7f]/g;
const FROM_ESCAPED = /[!.<_}]([0-9a-f]{2})/g;

/** The key under which KV holds an entry: the same text, but for characters that KV does not take. */
export function toKvKey(key: string): string {
  const escaped = key.replace(ESCAPED, (character) => {
    const code = character.charCodeAt(0);
    return escapeOf(code) + code.toString(16).padStart(2, '0');
  });
  // By itself: hosts have dots, and nearly no key has more than those.
  return escaped.replaceAll('.', '.2e');
}

/** The text that {@link toKvKey} was given. */
export function fromKvKey(key: string): string {
  return key.replace(FROM_ESCAPED, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)));
}

function escapeOf(code: number): string {
  if (code <= 0x23) return '!';
  if (code <= 0x3f) return '<';
  return code <= 0x5f ? '_' : '}';
}
