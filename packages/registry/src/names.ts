import { compareBytes, createStorageDriver, unhex } from '@_all_docs/cache';
import { documentPrefix, type PackumentForm } from '@_all_docs/packument';
import { heldNames, heldRanges, PartitionClient } from '@_all_docs/partition';
import type { RegistryEnv } from './types.js';

/** Names that are listed or whose documents are held, from `start` on, in the order of their bytes, each once. */
export async function* knownNames(env: RegistryEnv, form: PackumentForm, start: string): AsyncIterable<string> {
  let last: string | undefined;
  for await (const name of merge(documentNames(env, form), listedNames(env, start))) {
    if (name === last || compareBytes(name, start) < 0) continue;
    yield name;
    last = name;
  }
}

/** Keys of one form and registry sort as their names do: hex keeps the order of bytes. */
async function* documentNames(env: RegistryEnv, form: PackumentForm): AsyncIterable<string> {
  const storage = await createStorageDriver(env);
  const prefix = documentPrefix(form, env.registry);
  for await (const key of storage.list(prefix)) yield unhex(key.slice(prefix.length)) as string;
}

async function* listedNames(env: RegistryEnv, start: string): AsyncIterable<string> {
  const { origin } = env;
  if (origin === undefined) return;
  const ranges = await heldRanges({ ...env, origin });
  const ahead = ranges.filter(({ endKey }) => endKey === null || compareBytes(endKey, start) > 0);
  yield* heldNames(new PartitionClient({ env: { ...env, origin } }), ahead);
}

/** Two lists that are in order, as one that is. */
async function* merge(first: AsyncIterable<string>, second: AsyncIterable<string>): AsyncIterable<string> {
  const lists = [first[Symbol.asyncIterator](), second[Symbol.asyncIterator]()] as const;
  try {
    let [a, b] = await Promise.all([lists[0].next(), lists[1].next()]);
    while (!a.done || !b.done) {
      if (!a.done && (b.done || compareBytes(a.value, b.value) <= 0)) {
        yield a.value;
        a = await lists[0].next();
      } else {
        yield b.value as string;
        b = await lists[1].next();
      }
    }
  } finally {
    await Promise.all(lists.map((list) => list.return?.()));
  }
}
