import { InvalidArgumentError } from 'commander';

const SIZE_UNITS: Record<string, number> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};
const MS_UNITS: Record<string, number> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3, w: 7 * 86_400e3 };

/** Bytes of a size such as `500MB`, `2GiB`, `1.5 GB` or `1048576`. */
export function parseSize(text: string): number {
  const [, digits, unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text) ?? [];
  const factor = SIZE_UNITS[unit.toLowerCase()];
  const bytes = Math.round(Number(digits) * (factor ?? Number.NaN));
  if (!Number.isSafeInteger(bytes)) throw new InvalidArgumentError('It must be a size such as 500MB or 2GiB.');
  return bytes;
}

/** Milliseconds of a duration such as `90s`, `15m`, `168h` or `7d`. */
export function parseDuration(text: string): number {
  const [, digits, unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(text) ?? [];
  const factor = MS_UNITS[unit.toLowerCase()];
  const ms = Math.round(Number(digits) * (factor ?? Number.NaN));
  if (!Number.isSafeInteger(ms)) throw new InvalidArgumentError('It must be a duration such as 15m, 12h or 7d.');
  return ms;
}

/** Milliseconds of a number of seconds, or of a duration. */
export function parseSeconds(text: string): number {
  return parseDuration(/^\s*\d+(?:\.\d+)?\s*$/.test(text) ? `${text.trim()}s` : text);
}
