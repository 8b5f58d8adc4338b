import type { MemberVisitor } from './member-scanner.js';

/** Makes another document out of the members of one. */
export interface Projection extends MemberVisitor {
  /** The next bytes of the document, before their members are told of; for those who pass most of them on. They may change after the next {@link take}. */
  chunk?(bytes: Uint8Array): void;
  /** The bytes made since the last call. Views that it was handed are used up by this. */
  take(): Uint8Array;
  /** The document has ended: what is to come last is made now. */
  finish(): void;
}

const decoder = new TextDecoder();

/** A taken value as JSON. Throws a `SyntaxError`. */
export function parseValue(value: Uint8Array): unknown {
  return JSON.parse(decoder.decode(value));
}

/** Whether a JSON value is an object, not an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
