import { type ByteRange, type Hash, IntegrityCheck, type PutResult, type Store } from '@_all_docs/content';
import { HttpError, type StreamingResponse } from '@_all_docs/http';

export interface FlightOptions {
  /** Asks the origin; `undefined` where it says that there is nothing. */
  ask(): Promise<StreamingResponse | undefined>;
  store: Store;
  /** What the content must be; anything, where the document does not say. */
  integrity: string | undefined;
  /** Writes down what was stored; the flight has landed after that. */
  commit(stored: PutResult): Promise<void>;
  /** Most bytes that are held for readers while the content comes; 8 MiB unless told. */
  windowBytes?: number | undefined;
  /** Whether the store falls behind: then readers have the end only when the content is kept. */
  isBehind?: (() => boolean) | undefined;
}

/** How a flight began: with the length that the origin announced, if it did. */
export interface Departure {
  size: number | undefined;
}

/** How it ended. */
export interface Landing {
  /** Why readers did not get all of it; `undefined` when they did. */
  error?: unknown;
  /** Why it was not kept, although it is what it should be. */
  storeError?: unknown;
}

const WINDOW_BYTES = 8 * 1024 * 1024;
/** What may stay in memory for readers who are slower than the store. */
const LEAST_WINDOW_BYTES = 256 * 1024;

/**
 * One download for everybody who wants the content: it goes into the store, and readers follow it piece by piece. It
 * goes on when readers leave, at the pace of origin and store, never at theirs: who falls behind the window of pieces
 * held in memory reads on from the store once the content is there. The last piece is held back until all of it was
 * found to be what it should be, so nobody gets a whole that is wrong. A store in trouble costs keeping, not reading.
 */
export class Flight {
  /** Resolves when the origin answers; `undefined` where it says that there is nothing. Rejects when there is no answer. */
  readonly departed: Promise<Departure | undefined>;
  /** Resolves when all is over. Never rejects. */
  readonly landed: Promise<Landing>;
  readonly #options: FlightOptions;
  readonly #windowBytes: number;
  /** Pieces in memory; the first of them is number `#first` of all. */
  readonly #window: Uint8Array[] = [];
  #first = 0;
  #held = 0;
  #received = 0;
  #verified = false;
  #stored: Hash | undefined;
  #landing: Landing | undefined;
  #news = Promise.withResolvers<void>();

  constructor(options: FlightOptions) {
    this.#options = options;
    this.#windowBytes = options.windowBytes ?? WINDOW_BYTES;
    const { promise, resolve, reject } = Promise.withResolvers<Departure | undefined>();
    this.departed = promise;
    // Whoever waits hears of it; that nobody may be waiting is no trouble of its own.
    promise.catch(() => undefined);
    this.landed = this.#fly(resolve).then(
      () => this.#land({}),
      (error) => {
        reject(error);
        return this.#land({ error });
      },
    );
  }

  /** Bytes in memory. */
  get heldBytes(): number {
    return this.#held;
  }

  /**
   * The content from its first byte, or a range of it once all is verified. Ends with the flight's error when it fails,
   * whatever was received by then. Whoever has read to the end knows that it is right; {@link landed} tells when it is kept.
   */
  async *read(range?: ByteRange): AsyncIterable<Uint8Array> {
    const end = range?.end ?? Number.POSITIVE_INFINITY;
    let at = 0;
    let next = 0;
    while (range && !this.#verified && !this.#landing) await this.#news.promise;
    while (at < end) {
      if (this.#landing?.error !== undefined) throw this.#landing.error;
      if (next < this.#first) {
        if (this.#stored) return yield* this.#fromStore(this.#stored, Math.max(at, range?.start ?? 0), end);
        if (this.#landing) throw this.#landing.storeError;
      } else if (next < this.#first + this.#window.length - (this.#verified ? 0 : 1)) {
        const piece = this.#window[next - this.#first] as Uint8Array;
        const cut = range ? piece.subarray(Math.max(0, range.start - at), end - at) : piece;
        next += 1;
        at += piece.length;
        if (cut.length > 0) yield cut;
        continue;
      } else if (this.#verified && (this.#landing || !this.#options.isBehind?.())) return;
      await this.#news.promise;
    }
  }

  async #fly(depart: (departure: Departure | undefined) => void): Promise<void> {
    const response = await this.#options.ask();
    if (!response) return depart(undefined);
    const size = lengthOf(response);
    const upstream = response.body[Symbol.asyncIterator]();
    try {
      const check = await IntegrityCheck.create({ integrity: this.#options.integrity }, this.#options.store.hashers);
      depart({ size });
      await this.#receive(upstream, check, size);
    } finally {
      await upstream.return?.();
    }
  }

  async #receive(upstream: AsyncIterator<Uint8Array>, check: IntegrityCheck, size: number | undefined): Promise<void> {
    let trouble: unknown;
    const next = async () => {
      try {
        const result = await upstream.next();
        if (result.done) await this.#verify(check, size);
        else {
          await check.update(result.value);
          this.#push(result.value);
        }
        return result;
      } catch (error) {
        trouble = error;
        throw error;
      }
    };
    try {
      // Without `return`: when the store gives up, the content still comes for the readers.
      const stored = await this.#options.store.put({ [Symbol.asyncIterator]: () => ({ next }) });
      await this.#options.commit(stored);
      this.#stored = stored.hash;
    } catch (storeError) {
      if (trouble !== undefined) throw trouble;
      while (!this.#verified) await next();
      this.#landing = { storeError };
    }
  }

  #push(piece: Uint8Array): void {
    this.#window.push(piece);
    this.#held += piece.length;
    this.#received += piece.length;
    // The newest piece is nobody's yet.
    this.#shrink(this.#windowBytes, 1);
    this.#tell();
  }

  async #verify(check: IntegrityCheck, size: number | undefined): Promise<void> {
    if (size !== undefined && size !== this.#received) {
      throw new HttpError('ERR_FETCH_FAILED', `the body ended after ${this.#received} of ${size} bytes`);
    }
    await check.end();
    this.#verified = true;
    this.#tell();
  }

  #land(landing: Landing): Landing {
    this.#landing = { ...this.#landing, ...landing };
    if (this.#stored && this.#held > LEAST_WINDOW_BYTES) this.#shrink(0, 0);
    this.#tell();
    return this.#landing;
  }

  #shrink(toBytes: number, leave: number): void {
    while (this.#held > toBytes && this.#window.length > leave) {
      this.#held -= this.#window.shift()?.length ?? 0;
      this.#first += 1;
    }
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  async *#fromStore(hash: Hash, start: number, end: number): AsyncIterable<Uint8Array> {
    const blob = await this.#options.store.get(hash);
    if (!blob) throw new HttpError('ERR_FETCH_FAILED', 'what was stored a moment ago is gone; ask again');
    yield* blob.stream({ start, end: Math.min(end, blob.size) });
  }
}

/** The announced length; `undefined` without one that can be relied on. */
function lengthOf({ headers }: StreamingResponse): number | undefined {
  const length = headers['content-length'];
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}
