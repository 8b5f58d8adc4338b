/** @module How packages are named, and what the keys of their documents begin with: without what asks for documents. */
export { PackumentError } from './errors.js';
export { documentPrefix, encodedPrefix } from './form.js';
export { packumentPath, parsePackageName } from './names.js';
