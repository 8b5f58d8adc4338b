import {
  type EntryMetadata,
  type ListOptions,
  type OrderedStore,
  StorageDriver,
  type StoredEntry,
} from '@_all_docs/cache';

export type StorageVerb = 'read' | 'head' | 'write' | 'delete' | 'list' | 'touch' | 'get' | 'set' | 'has' | 'close';

/** A driver around another one: every call passes {@link around}, and is otherwise the inner driver's. */
export abstract class AroundDriver extends StorageDriver {
  override readonly ordered: OrderedStore | undefined;
  override readonly maxKeyBytes: number;
  readonly inner: StorageDriver;

  constructor(inner: StorageDriver) {
    super();
    this.inner = inner;
    this.ordered = inner.ordered;
    this.maxKeyBytes = inner.maxKeyBytes;
  }

  /** For `list`, `key` is the prefix and the call is the fetching of one key. */
  protected abstract around<T>(verb: StorageVerb, key: string, call: () => Promise<T>): Promise<T>;

  read(key: string): Promise<StoredEntry | undefined> {
    return this.around('read', key, () => this.inner.read(key));
  }

  head(key: string): Promise<EntryMetadata | undefined> {
    return this.around('head', key, () => this.inner.head(key));
  }

  write(key: string, entry: StoredEntry): Promise<void> {
    return this.around('write', key, () => this.inner.write(key, entry));
  }

  delete(key: string): Promise<void> {
    return this.around('delete', key, () => this.inner.delete(key));
  }

  async *list(prefix?: string, options?: ListOptions): AsyncIterable<string> {
    const keys = this.inner.list(prefix, options)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.around('list', prefix ?? '', () => keys.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await keys.return?.();
    }
  }

  override digest(body: Uint8Array): Promise<string> {
    return this.inner.digest(body);
  }

  override touch(key: string, metadata: Partial<EntryMetadata>): Promise<void> {
    return this.around('touch', key, () => this.inner.touch(key, metadata));
  }

  // biome-ignore lint/suspicious/noExplicitAny: as the driver has it
  override get<T = any>(key: string): Promise<T | undefined> {
    return this.around('get', key, () => this.inner.get<T>(key));
  }

  override set(key: string, value: unknown): Promise<void> {
    return this.around('set', key, () => this.inner.set(key, value));
  }

  override has(key: string): Promise<boolean> {
    return this.around('has', key, () => this.inner.has(key));
  }

  override close(): Promise<void> {
    return this.around('close', '', () => this.inner.close());
  }
}
