import { MemoryStorageDriver, type OpenedEntry, type StoredEntry } from '@_all_docs/cache';
import { MemoryBlobBackend } from '@_all_docs/content';
import type { EdgeEnv, EdgeOptions } from '@_all_docs/registry/edge';
import { EdgeRegistry } from '@_all_docs/registry/edge';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Ask, ask, Origin, settled, VirtualClock } from './_replica.ts';

/** A store in memory that takes down what it was asked, and fails when it is told to. */
export class WatchedStorage extends MemoryStorageDriver {
  readonly asked: string[] = [];
  failing: 'read' | 'write' | undefined;
  /** Bodies that were opened, by what became of them. */
  readonly bodies = { read: 0, cancelled: 0 };

  override async read(key: string): Promise<StoredEntry | undefined> {
    this.#note('read', key);
    return super.read(key);
  }
  override async write(key: string, entry: StoredEntry): Promise<void> {
    this.#note('write', key);
    return super.write(key, entry);
  }
  override async open(key: string): Promise<OpenedEntry | undefined> {
    this.#note('open', key);
    const entry = await super.read(key);
    if (!entry) return undefined;
    const body = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          this.bodies.read += 1;
          controller.enqueue(entry.body);
          controller.close();
        },
        cancel: () => {
          this.bodies.cancelled += 1;
        },
      },
      { highWaterMark: 0 },
    );
    return { metadata: entry.metadata, body, cancel: () => body.cancel() };
  }

  /** What was asked since the last call, without its keys. */
  take(): string[] {
    return this.asked.splice(0).map((line) => line.slice(0, line.indexOf(' ')));
  }

  #note(verb: 'open' | 'read' | 'write', key: string): void {
    this.asked.push(`${verb} ${key}`);
    if (this.failing === verb || (this.failing === 'read' && verb === 'open')) throw new Error('out of order');
  }
}

/** A registry at the edge over memory, with an origin that says what it is told. */
export function edge({
  options = {},
  env: more = {},
  storage = new WatchedStorage(),
  origin = new Origin(),
  clock = new VirtualClock(),
}: {
  options?: EdgeOptions;
  env?: Partial<EdgeEnv>;
  storage?: WatchedStorage;
  origin?: Origin;
  clock?: VirtualClock;
} = {}) {
  const log: string[] = [];
  const note = (message: string, fields?: object) => void log.push(`${message} ${JSON.stringify(fields ?? {})}`);
  const behind = new Set<Promise<unknown>>();
  /** What goes on behind answers has ended, but for what waits for the clock. */
  const idle = async () => {
    for (let turn = 0; turn < 5; turn++) {
      await Promise.race([Promise.allSettled(behind), sleep(50)]);
      await settled();
    }
  };
  const blobs = new MemoryBlobBackend(clock);
  const env: EdgeEnv = {
    registry: 'https://registry.example.test',
    storage,
    transport: origin.transport,
    streaming: origin.streaming,
    blobs,
    hashers: {
      create(algorithm) {
        const hash = createHash(algorithm);
        return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
      },
    },
    clock,
    waitUntil: (promise) => void behind.add(promise.finally(() => behind.delete(promise))),
    logger: { info: note, warn: note, error: note },
    ...more,
  };
  const registry = new EdgeRegistry({ env, options });
  return {
    registry,
    env,
    storage,
    blobs,
    origin,
    clock,
    log,
    idle,
    /** Asks as a host does: with the raw target. What goes on behind the answer has ended. */
    ask: async (target: string, request: Ask = {}) => {
      const answered = await ask(registry, target, request);
      await idle();
      return answered;
    },
  };
}
