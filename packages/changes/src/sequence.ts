import { ChangesError } from './errors.js';

/** A sequence of the feed: a whole number from 0 up, also where it is written as a string of digits; `undefined` for anything else. */
export function toSequence(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}

/** The number itself; `ERR_BAD_SEQUENCE` for anything but a whole number from 0 up. */
export function assertSequence(value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new ChangesError('ERR_BAD_SEQUENCE', `not a sequence: ${String(value)}; it must be a whole number from 0 up`);
}
