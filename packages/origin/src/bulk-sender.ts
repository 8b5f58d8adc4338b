import {
  CacheError,
  compareBytes,
  createStorageDriver,
  hex,
  type StorageDriver,
  type StorageEnv,
  unhex,
} from '@_all_docs/cache';
import { documentPrefix, type PackumentForm } from '@_all_docs/packument';
import { FrameWriter } from './bulk-frames.js';

export interface BulkSenderEnv extends StorageEnv {
  registry: string;
}

/** Documents of the names from `start` to `end`, both inclusive; `null` is no bound. */
export interface DocumentRange {
  start: string | null;
  end: string | null;
  form: PackumentForm;
  /** What the client holds: the beginning of the stored bytes' digest, or `true` for what it wants in no case. */
  held: ReadonlyMap<string, string | true>;
  /** An answer ends after so many bytes and says where the next one goes on. */
  enoughBytes: number;
}

/**
 * The stored documents of a range in the order of their names, as frames, read while they are sent: a piece at a time is in
 * memory. Bytes and metadata go out as they lie. A damaged document is left out; the client will ask for it by name.
 */
export async function* documentFrames(env: BulkSenderEnv, range: DocumentRange): AsyncGenerator<Uint8Array> {
  const storage = await createStorageDriver(env);
  const prefix = documentPrefix(range.form, env.registry);
  const writer = new FrameWriter();
  let next: string | null = null;
  for await (const key of keysFrom(storage, prefix, range.start)) {
    const name = unhex(key.slice(prefix.length)) as string;
    if (range.end !== null && compareBytes(name, range.end) > 0) break;
    if (writer.bytes > range.enoughBytes) {
      next = name;
      break;
    }
    await write(writer, storage, key, name, range.held.get(name));
    yield* writer.take();
  }
  writer.end(next);
  yield* writer.take();
}

/** The key of the first name may be there itself, and listing begins past a key. */
async function* keysFrom(storage: StorageDriver, prefix: string, start: string | null): AsyncIterable<string> {
  if (start === null) return yield* storage.list(prefix);
  const first = prefix + hex(start);
  if (await storage.has(first)) yield first;
  yield* storage.list(prefix, { after: first });
}

async function write(
  writer: FrameWriter,
  storage: StorageDriver,
  key: string,
  name: string,
  held: string | true | undefined,
): Promise<void> {
  if (held === true) return;
  if (held !== undefined && (await storage.head(key))?.digest?.startsWith(held)) {
    writer.held(JSON.stringify(name));
    return;
  }
  try {
    const entry = await storage.read(key);
    if (entry) writer.document(JSON.stringify([name, entry.metadata]), entry.body);
  } catch (error) {
    if (!(error instanceof CacheError && error.code === 'ERR_CORRUPT')) throw error;
  }
}
