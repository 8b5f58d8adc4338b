import {
  createAbbreviatedKey,
  createPackumentKey,
  decodeCacheKey,
  type OrderedStore,
  prefixRange,
  type StorageDriver,
} from '@_all_docs/cache';
import { type BlobIndex, INDEX_PREFIXES, type IndexRow } from '@_all_docs/content';
import { Ledger } from './ledger.js';
import {
  ABSENT_PREFIX,
  DERIVED_LEDGER_PREFIX,
  DERIVED_PREFIX,
  PULLED_PREFIX,
  RESOURCE_LEDGER_PREFIX,
  RESOURCE_PREFIX,
} from './prefixes.js';
import { markOf } from './pulled-documents.js';

/** What was removed, counted. */
export interface ClearedPulled {
  documents: number;
  /** Rows of tarballs; their blobs go when nobody refers to them any more. */
  tarballs: number;
  /** Derived documents. */
  derived: number;
  /** Signing keys and attestations. */
  resources: number;
}

/** Changes that share a transaction. */
const AT_ONCE = 256;

/**
 * Removes all that may be evicted, of all registries: documents and tarballs that were pulled through, derived documents,
 * keys and attestations, and what the origin said is absent. What was brought to stay stays, and so does a document that
 * was confirmed by a bootstrap since it was pulled through. May run beside a registry; stopped at any point, the same
 * call goes on. Rejects with the store's error, or the signal's reason.
 */
export async function clearPulled(
  { storage, ordered, index }: { storage: StorageDriver; ordered: OrderedStore; index: BlobIndex },
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<ClearedPulled> {
  const cleared: ClearedPulled = { documents: 0, tarballs: 0, derived: 0, resources: 0 };
  for await (const [registry, ledger] of ledgers(ordered, PULLED_PREFIX)) {
    await inBatches(ledger.entries(), signal, async ([hexName, { mark }]) => {
      cleared.documents += await removeDocument(storage, `v1:packument:${registry}:${hexName}`, mark);
      await ledger.drop(hexName);
    });
  }
  const remove = async (key: string) => {
    await storage.delete(key);
    cleared[key.startsWith(DERIVED_PREFIX) ? 'derived' : 'resources'] += 1;
  };
  for (const prefix of [DERIVED_PREFIX, RESOURCE_PREFIX]) await inBatches(storage.list(prefix), signal, remove);
  for (const prefix of [DERIVED_LEDGER_PREFIX, RESOURCE_LEDGER_PREFIX, ABSENT_PREFIX])
    for await (const [, ledger] of ledgers(ordered, prefix))
      await inBatches(ledger.entries(), signal, ([key]) => ledger.drop(key));
  for (const prefix of INDEX_PREFIXES) {
    await inBatches(ordered.list(prefixRange(prefix)), signal, async ([key, text]) => {
      const { pinned, at } = JSON.parse(text) as IndexRow;
      if (pinned) return;
      await index.unlink(key, { at });
      cleared.tarballs += 1;
    });
  }
  return cleared;
}

/** Of either form; only while it is the one that was entered. */
async function removeDocument(storage: StorageDriver, key: string, mark: string): Promise<number> {
  const decoded = decodeCacheKey(key);
  if (decoded.type === 'partition') return 0;
  let removed = 0;
  for (const createKey of [createPackumentKey, createAbbreviatedKey]) {
    const document = createKey(decoded.packageName, decoded.origin);
    const metadata = await storage.head(document);
    if (!metadata || markOf(metadata) !== mark) continue;
    await storage.delete(document);
    removed += 1;
  }
  return removed;
}

/** The ledgers of all registries whose rows begin so. */
async function* ledgers(ordered: OrderedStore, prefix: string): AsyncIterable<[registry: string, ledger: Ledger]> {
  const onTrouble = (error: Error) => {
    throw error;
  };
  for (let { start, end } = prefixRange(prefix); ; ) {
    let registry: string | undefined;
    for await (const [row] of ordered.list({ start, end, limit: 1 }))
      registry = row.slice(prefix.length, row.indexOf(':', prefix.length));
    if (registry === undefined) return;
    const own = `${prefix}${registry}:`;
    yield [
      registry,
      new Ledger({ ordered, prefix: own, limit: Number.POSITIVE_INFINITY, onEvict: async () => {}, onTrouble }),
    ];
    start = prefixRange(own).end;
  }
}

async function inBatches<Item>(
  items: AsyncIterable<Item>,
  signal: AbortSignal | undefined,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  let batch: Item[] = [];
  const flush = async () => {
    signal?.throwIfAborted();
    await Promise.all(batch.map(work));
    batch = [];
  };
  for await (const item of items) {
    batch.push(item);
    if (batch.length === AT_ONCE) await flush();
  }
  await flush();
}
