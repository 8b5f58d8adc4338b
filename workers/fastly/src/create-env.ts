import type { Clock } from '@_all_docs/http';
import type { EdgeEnv } from '@_all_docs/registry/edge';
import { type BackendFor, createBackends } from './backends.js';
import { hostClock } from './clock.js';
import { hostCodec } from './codec.js';
import { collapsing } from './collapse.js';
import { ConfigStoreReader } from './config-reader.js';
import { hostHashers } from './hashers.js';
import type { KvStore } from './host.js';
import { KvBlobBackend } from './kv-blob-backend.js';
import { FastlyStorageDriver } from './kv-driver.js';
import { hostLogger } from './logger.js';
import { type FastlySettings, readSettings } from './settings.js';
import { openConfigStore, openKvStore, STORE_NAME } from './stores.js';
import { backendStreaming, backendTransport } from './transport.js';

export interface FastlyEnvOptions {
  /** Names under which the stores are linked to the service; `all_docs` unless told. */
  kvStore?: string | undefined;
  configStore?: string | undefined;
  waitUntil?: ((promise: Promise<unknown>) => void) | undefined;
}

/** What `@_all_docs/registry/edge`, `PackumentClient` and `PartitionClient` ask for, on this host. */
export interface FastlyEnv extends EdgeEnv {
  origin: string;
  storage: FastlyStorageDriver;
  clock: Clock;
  random: () => number;
  settings: FastlySettings;
}

/**
 * The environment of one request: its stores, its backends, what the Config Store says. The backends `registry` and,
 * where there is an `origin`, `origin` must be there. `ERR_NO_STORE`, `ERR_NO_BACKEND` or `ERR_BAD_SETTING`, each with what to create.
 */
export function createEnv({ kvStore = STORE_NAME, configStore, waitUntil }: FastlyEnvOptions = {}): FastlyEnv {
  const settings = readSettings(new ConfigStoreReader(openConfigStore(configStore)));
  const { registry, origin = registry } = settings;
  const backendFor: BackendFor = createBackends({
    named: { ...(settings.origin === undefined ? {} : { [origin]: 'origin' }), [registry]: 'registry' },
    dynamic: settings.dynamicBackends,
  });
  return composeEnv({ settings, store: openKvStore(kvStore), backendFor, waitUntil });
}

export interface FastlyParts {
  settings: FastlySettings;
  store: KvStore;
  backendFor: BackendFor;
  waitUntil?: FastlyEnvOptions['waitUntil'];
}

/** {@link createEnv} out of what it opens. */
export function composeEnv({ settings, store, backendFor, waitUntil }: FastlyParts): FastlyEnv {
  const { registry, origin = registry } = settings;
  return {
    origin,
    registry,
    settings,
    storage: new FastlyStorageDriver(store),
    blobs: new KvBlobBackend(store),
    transport: collapsing(backendTransport(backendFor)),
    streaming: backendStreaming(backendFor),
    hashers: hostHashers,
    codec: hostCodec,
    clock: hostClock,
    random: Math.random,
    logger: hostLogger,
    waitUntil,
  };
}
