import type { BlobBackend, BlobStat, ByteRange } from '@_all_docs/content';
import { assertRange } from '@_all_docs/content/keys';
import { reading, writing } from './entry.js';
import { listObjects } from './r2-driver.js';

/** What is held in memory of a blob on its way in, and the length of the parts of a larger one. */
const PART = 8 * 1024 * 1024;
const TEMPORARY = 'tmp/';

/**
 * Blobs as objects of an R2 bucket. Objects have no other name to be written under, and cannot be renamed: up to 8 MB
 * are held until they are whole; what is larger is uploaded in parts, and lies under a temporary name where its own
 * follows from its bytes. R2 itself gives up an upload that was left after seven days.
 */
export class R2BlobBackend implements BlobBackend {
  readonly #bucket: R2Bucket;

  constructor(bucket: R2Bucket) {
    this.#bucket = bucket;
  }

  async read(path: string, range?: ByteRange): Promise<AsyncIterable<Uint8Array> | undefined> {
    if (range) {
      const stat = await this.stat(path);
      if (!stat) return undefined;
      assertRange(range, stat.size);
    }
    const length = range && range.end - range.start;
    if (length === 0) return new Blob().stream();
    const part = range && { range: { offset: range.start, length: length as number } };
    const object = await reading(path, this.#bucket.get(path, part));
    return object?.body;
  }

  /** R2 compares a small blob with the SHA-512 (hex) that the caller knows, and refuses another one. */
  async write(
    path: string | (() => string | Promise<string>),
    source: AsyncIterable<Uint8Array>,
    { sha512 }: { sha512?: string } = {},
  ): Promise<void> {
    const name = async () => (typeof path === 'string' ? path : path());
    let upload: R2MultipartUpload | undefined;
    const parts: R2UploadedPart[] = [];
    let held: Uint8Array[] = [];
    let length = 0;
    const part = async (body: Uint8Array) => {
      const key = typeof path === 'string' ? path : TEMPORARY + crypto.randomUUID();
      upload ??= await writing(key, this.#bucket.createMultipartUpload(key));
      parts.push(await writing(key, upload.uploadPart(parts.length + 1, body)));
    };
    try {
      for await (const bytes of source) {
        // A copy: a source may use its buffer again.
        held.push(bytes.slice());
        length += bytes.length;
        while (length > PART) {
          const whole = await joined(held);
          await part(whole.subarray(0, PART));
          held = [whole.subarray(PART)];
          length -= PART;
        }
      }
      const rest = await joined(held);
      if (upload) await part(rest);
      const key = await name();
      if (!upload) await writing(key, this.#bucket.put(key, rest, sha512 ? { sha512 } : {}));
      else {
        await writing(key, upload.complete(parts));
        if (upload.key !== key) await this.#move(upload.key, key);
      }
    } catch (error) {
      await upload?.abort().catch(() => undefined);
      throw error;
    }
  }

  async stat(path: string): Promise<BlobStat | undefined> {
    const object = await reading(path, this.#bucket.head(path));
    return object ? { size: object.size, modifiedAt: object.uploaded.getTime() } : undefined;
  }

  list(prefix: string): AsyncIterable<string> {
    return listObjects(this.#bucket, prefix);
  }

  async delete(path: string): Promise<void> {
    await writing(path, this.#bucket.delete(path));
  }

  /** Deletes temporary objects that were left before a time, in epoch milliseconds, by who did not live to move them. */
  async sweep(before: number): Promise<void> {
    for await (const path of this.list(TEMPORARY)) {
      const stat = await this.stat(path);
      if (stat && stat.modifiedAt < before) await this.delete(path);
    }
  }

  async #move(from: string, to: string): Promise<void> {
    try {
      const object = await reading(from, this.#bucket.get(from));
      await writing(to, this.#bucket.put(to, object?.body ?? null));
    } finally {
      await this.delete(from);
    }
  }
}

async function joined(pieces: Uint8Array[]): Promise<Uint8Array> {
  return new Uint8Array(await new Blob(pieces as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}
