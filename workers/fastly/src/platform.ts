/**
 * @module What the core takes of the web platform, and this host's engine lacks: loaded once, before everything else.
 * `ReadableStream` is no async iterable here, and nothing can be aborted: an `AbortController` only tells.
 */

class Signal {
  aborted = false;
  reason: unknown;
  readonly #listeners = new Set<() => void>();

  addEventListener(_: 'abort', listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_: 'abort', listener: () => void): void {
    this.#listeners.delete(listener);
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }

  abort(reason: unknown = new Error('aborted')): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    for (const listener of this.#listeners) listener();
  }
}

class Controller {
  readonly signal = new Signal();

  abort(reason?: unknown): void {
    this.signal.abort(reason);
  }
}

/** The pieces of a stream; leaving early cancels it. */
function pieces(this: ReadableStream<Uint8Array>): AsyncIterator<Uint8Array> {
  const reader = this.getReader();
  return {
    async next() {
      const { done, value } = await reader.read();
      return done ? { done, value: undefined } : { done: false, value: value as Uint8Array };
    },
    async return() {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}

function canParse(url: string, base?: string): boolean {
  try {
    new URL(url, base);
    return true;
  } catch {
    return false;
  }
}

const lacking: [object, PropertyKey, unknown][] = [
  [globalThis, 'AbortController', Controller],
  [URL, 'canParse', canParse],
  [ReadableStream.prototype, Symbol.asyncIterator, pieces],
];
for (const [where, name, value] of lacking) {
  if (!(name in where)) Object.defineProperty(where, name, { value, configurable: true, writable: true });
}
