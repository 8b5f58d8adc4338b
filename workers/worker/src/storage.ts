export { createStorageDriver } from '@_all_docs/cache';
