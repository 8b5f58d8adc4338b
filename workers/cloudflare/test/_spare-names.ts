/** Spare bindings of each kind. */
const SPARE = 24;

export function spareNames(kind: 'KV' | 'R2' | 'D1'): string[] {
  return Array.from({ length: SPARE }, (_, i) => `${kind}_${i}`);
}
