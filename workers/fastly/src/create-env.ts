import type { BlobBackend } from '@_all_docs/content';
import type { Clock, Transport } from '@_all_docs/http';
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
  /** Which backend a URL is asked by. `ERR_NO_BACKEND`, with what to create. */
  backendFor: BackendFor;
}

/**
 * The environment of one request: its stores, its backends, what the Config Store says. `ERR_NO_STORE` or
 * `ERR_BAD_SETTING`, each with what to create. The backends `registry` and, where there is an `origin`, `origin` are
 * looked for when one is needed first: a hit needs none.
 */
export function createEnv({ kvStore = STORE_NAME, configStore, waitUntil }: FastlyEnvOptions = {}): FastlyEnv {
  const settings = readSettings(new ConfigStoreReader(openConfigStore(configStore)));
  let known: BackendFor | undefined;
  const backendFor: BackendFor = (url) => {
    known ??= backendsOf(settings);
    return known(url);
  };
  return composeEnv({ settings, store: openKvStore(kvStore), backendFor, waitUntil });
}

function backendsOf({ registry, origin, dynamicBackends }: FastlySettings): BackendFor {
  const named = { ...(origin === undefined ? {} : { [origin]: 'origin' }), [registry]: 'registry' };
  return createBackends({ named, dynamic: dynamicBackends });
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
  let blobs: BlobBackend | undefined;
  let transport: Transport | undefined;
  return {
    origin,
    registry,
    settings,
    backendFor,
    storage: new FastlyStorageDriver(store),
    // Made when they are needed first: a hit needs neither.
    get blobs() {
      blobs ??= new KvBlobBackend(store);
      return blobs;
    },
    get transport() {
      transport ??= collapsing(backendTransport(backendFor));
      return transport;
    },
    streaming: backendStreaming(backendFor),
    hashers: hostHashers,
    codec: hostCodec,
    clock: hostClock,
    random: Math.random,
    logger: hostLogger,
    waitUntil,
  };
}
