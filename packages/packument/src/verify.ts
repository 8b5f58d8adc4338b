import { CacheError, createStorageDriver, decodeCacheKey, type StorageEnv } from '@_all_docs/cache';
import { type Codec, HttpError, webCodec } from '@_all_docs/http';
import { checkPackument } from './check.js';
import { PackumentError } from './errors.js';
import { documentPrefix, type PackumentForm } from './form.js';

/** One stored document, looked at from the first byte to the last. */
export interface VerifiedPackument {
  name: string;
  /** Bytes as stored. */
  size: number;
  /** What is wrong with it; `undefined` for a document that is whole. */
  problem?: { code: string; message: string } | undefined;
}

/**
 * Reads every stored document of a registry (or the named ones) and checks digest, checksum, JSON and name.
 * A named document that is not held is a problem with `ERR_NOT_HELD`. Trouble with the store itself is thrown. One
 * document at a time is held whole, since it is parsed.
 */
export async function* verifyPackuments(
  env: StorageEnv & { registry: string; codec?: Codec | undefined },
  { form = 'full', keys }: { form?: PackumentForm; keys?: AsyncIterable<string> | Iterable<string> } = {},
): AsyncIterable<VerifiedPackument> {
  const storage = await createStorageDriver(env);
  const codec = env.codec ?? webCodec;
  const all = keys ?? storage.list(documentPrefix(form, env.registry));
  for await (const key of all) {
    const decoded = decodeCacheKey(key);
    if (decoded.type === 'partition') continue;
    const name = decoded.packageName;
    let size = 0;
    try {
      const entry = await storage.read(key);
      if (!entry)
        throw new PackumentError(
          'ERR_NOT_HELD',
          `${name} is not held; fetch it with: _all_docs packument fetch ${name}`,
        );
      size = entry.body.length;
      await checkPackument(name, entry.body, entry.metadata.encoding, 'parse', codec);
      yield { name, size };
    } catch (error) {
      if (!isFinding(error)) throw error;
      yield { name, size, problem: { code: error.code, message: error.message } };
    }
  }
}

function isFinding(error: unknown): error is PackumentError | CacheError | HttpError {
  if (error instanceof PackumentError) return true;
  if (error instanceof CacheError) return error.code === 'ERR_CORRUPT';
  return error instanceof HttpError && (error.code === 'ERR_ENCODING' || error.code === 'ERR_TOO_LARGE');
}
