/** Values by key within a number of bytes; what was not asked for longest goes first. */
export class ByteLru<Value> {
  readonly limit: number;
  readonly #onLeave: (value: Value) => void;
  readonly #values = new Map<string, { value: Value; bytes: number }>();
  #bytes = 0;

  /** `onLeave` hears of every value that is held no longer. */
  constructor(limit: number, onLeave: (value: Value) => void = () => undefined) {
    this.limit = limit;
    this.#onLeave = onLeave;
  }

  /** Bytes held now, as they were declared. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The same as {@link get}, without counting as a use. */
  peek(key: string): Value | undefined {
    return this.#values.get(key)?.value;
  }

  get(key: string): Value | undefined {
    const held = this.#values.get(key);
    if (!held) return undefined;
    this.#values.delete(key);
    this.#values.set(key, held);
    return held.value;
  }

  /** Keeps a value that counts as so many bytes, in place of the one under this key; one over the limit is not kept. */
  set(key: string, value: Value, bytes: number): void {
    const held = this.#values.get(key);
    if (bytes > this.limit) {
      this.delete(key);
      return;
    }
    this.#values.delete(key);
    this.#values.set(key, { value, bytes });
    this.#bytes += bytes - (held?.bytes ?? 0);
    if (held && held.value !== value) this.#onLeave(held.value);
    for (const oldest of this.#values.keys()) {
      if (this.#bytes <= this.limit) return;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const held = this.#values.get(key);
    if (!held) return;
    this.#values.delete(key);
    this.#bytes -= held.bytes;
    this.#onLeave(held.value);
  }
}
