import type { ContentError, IntegrityCheck } from '@_all_docs/content';
import { HttpError } from '@_all_docs/http';

/** A download on its way to the one who asked for it and into a store. */
export interface Download {
  /** Ends with an error, before the last piece, when the bytes are not what they should be. */
  body: ReadableStream<Uint8Array>;
  /** Resolves when all is over: with what the download ended with, or the store. Never rejects. */
  over: Promise<{ error?: unknown; storeError?: unknown }>;
}

/**
 * Sends a download on while `keep` stores it: at the pace of the slower one, and to its end when the client leaves. The
 * last piece is held back until all of it was found to be what it should be. A store in trouble costs keeping, not reading.
 */
export function download(
  upstream: AsyncIterable<Uint8Array>,
  size: number | undefined,
  check: IntegrityCheck,
  keep: (source: AsyncIterable<Uint8Array>) => Promise<void>,
): Download {
  const iterator = upstream[Symbol.asyncIterator]();
  let client: ReadableStreamDefaultController<Uint8Array> | undefined;
  let pulled = Promise.withResolvers<void>();
  let last: Uint8Array | undefined;
  let trouble: { error: unknown } | undefined;
  let isDone = false;
  const give = async (piece: Uint8Array | undefined): Promise<void> => {
    if (!client || !piece) return;
    client.enqueue(piece);
    if ((client.desiredSize ?? 1) > 0) return;
    await pulled.promise;
    pulled = Promise.withResolvers();
  };
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    try {
      const result = await iterator.next();
      if (!result.done) await check.update(result.value);
      else if (size === undefined || size === check.length) await check.end();
      else throw new HttpError('ERR_FETCH_FAILED', `the body ended after ${check.length} of ${size} bytes`);
      await give(last);
      last = result.value;
      isDone = result.done === true;
      return result;
    } catch (error) {
      trouble = { error };
      throw error;
    }
  };
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      client = controller;
    },
    pull: () => pulled.resolve(),
    cancel: () => {
      client = undefined;
      pulled.resolve();
    },
  });
  // Without `return`: when the store gives up, the content still comes for the client.
  const over = keep({ [Symbol.asyncIterator]: () => ({ next }) })
    .catch(async (storeError: unknown) => {
      while (!trouble && !isDone) await next();
      return { storeError };
    })
    .then((kept) => {
      if (!trouble) client?.close();
      return kept ?? {};
    })
    .catch(() => ({}))
    .then(async (kept) => {
      if (!trouble) return kept;
      client?.error(trouble.error);
      await iterator.return?.();
      return trouble;
    });
  return { body, over };
}

/** Whether a download ended because its bytes are not what they should be. */
export function isMismatch(error: unknown): error is ContentError {
  return (error as { code?: string } | undefined)?.code === 'ERR_INTEGRITY';
}
