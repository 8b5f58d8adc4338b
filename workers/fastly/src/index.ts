/** @module Fastly bindings of the core. The worker itself is the entry `./worker`: it answers requests as soon as it is loaded. */
export { type BackendFor, type BackendsOptions, createBackends } from './backends.js';
export { hostCodec } from './codec.js';
export { collapsing } from './collapse.js';
export { ConfigStoreReader } from './config-reader.js';
export { createEnv, type FastlyEnv, type FastlyEnvOptions } from './create-env.js';
export { FastlyError, type FastlyErrorCode } from './errors.js';
export { hostHashers } from './hashers.js';
export type { ConfigTexts, KvEntry, KvListOptions, KvPutOptions, KvStore } from './host.js';
export { KvBlobBackend } from './kv-blob-backend.js';
export { FastlyStorageDriver } from './kv-driver.js';
export { fromKvKey, toKvKey } from './kv-key.js';
export { type FastlySettings, readSettings } from './settings.js';
export { openConfigStore, openKvStore, readSecret } from './stores.js';
export { backendStreaming, backendTransport } from './transport.js';
