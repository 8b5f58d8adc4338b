/** @module How blobs and the rows that refer to them are called: without what keeps them. */
export { assertRange } from './backend.js';
export { VERSION_PREFIX } from './blob-index.js';
export { Hash } from './hash.js';
