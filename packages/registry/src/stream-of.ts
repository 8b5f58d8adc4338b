/** As the web has it, and as it is where it is one already. So many pieces are asked for before anybody reads; none unless told. */
export function streamOf(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ahead = 0,
): ReadableStream<Uint8Array> {
  if (source instanceof ReadableStream) return source;
  let iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array> | undefined;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        iterator ??= Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await iterator?.return?.();
      },
    },
    { highWaterMark: ahead },
  );
}
