/** What KV takes. */
export const MAX_METADATA_BYTES = 1_024;
export const MAX_VALUE_BYTES = 25 * 1024 * 1024;

/** In the place of metadata: the entry is with the other driver. */
export const ELSEWHERE = 'large';
