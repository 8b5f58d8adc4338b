/**
 * What the KV Store takes in no key, or not everywhere in it: control characters, `#;?^|`, and dots beside slashes. Each
 * is written as a character that KV takes, and two hex digits. Those characters (`!`, `.`, `<`, `_`, `}`) are written so,
 * too, and each stands for a row of neighbours: so different keys stay different, in the same order, under the same prefixes.
 */
const ESCAPED = /[\0-#;-?^_|-\x7f]/g;
const FROM_ESCAPED = /[!.<_}]([0-9a-f]{2})/g;

/** The key under which KV holds an entry: the same text, but for characters that KV does not take. */
export function toKvKey(key: string): string {
  const escaped = isOurs(key) ? key : key.replace(ESCAPED, escapeOf);
  // By itself: hosts have dots, and nearly no key has more than those.
  return escaped.replaceAll('.', '.2e');
}

/** The text that {@link toKvKey} was given. */
export function fromKvKey(key: string): string {
  return key.replace(FROM_ESCAPED, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)));
}

/**
 * Whether a key is of what ours are made of, and so has nothing of {@link ESCAPED}: hex, colons, and a host as
 * `encodeURIComponent` spells it. By that, not by a regular expression: a request's first one is a twentieth of it here.
 */
function isOurs(key: string): boolean {
  const text = key.replaceAll(':', '').replaceAll('%', '');
  if (text.includes('_') || text.includes('~') || text.includes('!')) return false;
  return text.isWellFormed() && encodeURIComponent(text) === text;
}

function escapeOf(character: string): string {
  const code = character.charCodeAt(0);
  return markOf(code) + code.toString(16).padStart(2, '0');
}

function markOf(code: number): string {
  if (code <= 0x23) return '!';
  if (code <= 0x3f) return '<';
  return code <= 0x5f ? '_' : '}';
}
