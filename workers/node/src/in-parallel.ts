/** Does the work for all items, so many at once. After the first error nothing is begun; it is thrown when all have ended. */
export async function inParallel<Item>(
  items: Iterable<Item> | AsyncIterable<Item>,
  atOnce: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const failures: unknown[] = [];
  const worker = async () => {
    while (failures.length === 0) {
      const next = await iterator.next();
      if (next.done) return;
      await work(next.value);
    }
  };
  await Promise.all(
    Array.from({ length: atOnce }, () => worker().catch((error: unknown) => void failures.push(error))),
  );
  if (failures.length === 0) return;
  await iterator.return?.();
  throw failures[0];
}
