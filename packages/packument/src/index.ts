/** @module Package names, the packument client, verification of documents. */
export { type AskedPackument, type AskOptions, askPackument } from './ask-packument.js';
export { type Check, type CheckedDocument, checkPackument, PackumentHead } from './check.js';
export { PackumentError, type PackumentErrorCode } from './errors.js';
export { documentPrefix, type PackumentForm } from './form.js';
export { endOfString, worded } from './json-string.js';
export { packumentPath, parsePackageName } from './names.js';
export {
  type FetchChangedOptions,
  type FetchOptions,
  type FetchResult,
  type Lagging,
  type Look,
  PackumentClient,
  type PackumentEnv,
  type PackumentRequestOptions,
} from './packument-client.js';
export { isOlderRevision } from './revision.js';
export { type VerifiedPackument, verifyPackuments } from './verify.js';
