/** @module Google Cloud Run bindings: storage in GCS, rows and leases on generations, work by push. */

export { type CloudRunEnv, type CreateEnvOptions, createEnv } from './create-env.js';
export { GCSStorageDriver, type GCSStorageOptions } from './gcs-storage-driver.js';
export { createGoogleKeys } from './google-keys.js';
export { type CloudLoggerOptions, createCloudLogger, traceFields } from './logger.js';
export { createOidcCheck, type OidcOptions, type Refusal, type SigningKey } from './oidc.js';
