/** The parts of the host's objects that are used, so that whoever has the like can hand it in. */

/** A KV Store: `new KVStore(name)`. */
export interface KvStore {
  get(key: string): Promise<KvEntry | null>;
  put(key: string, value: Uint8Array, options?: KvPutOptions): Promise<unknown>;
  delete(key: string): Promise<unknown>;
  list(options: KvListOptions): Promise<{ list: string[]; cursor?: string | undefined }>;
}

export interface KvPutOptions {
  metadata?: string;
  /** Seconds. */
  ttl?: number;
  mode?: 'overwrite' | 'add';
}

export interface KvListOptions {
  prefix?: string;
  limit?: number;
  cursor?: string;
}

/** What a look-up gives: the body still lies with the host. */
export interface KvEntry {
  readonly body: ReadableStream<Uint8Array>;
  arrayBuffer(): Promise<ArrayBuffer>;
  metadataText(): string | null;
}

/** A Config Store: `new ConfigStore(name)`. It can be read, and that is all. */
export interface ConfigTexts {
  get(key: string): string | null;
}
