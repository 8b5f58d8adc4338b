/** @module A replica as an origin, at the edge. */
export { EdgeOrigin, type EdgeOriginEnv } from './edge-origin.js';
export { LISTING_PREFIX, type PublishedListing, readListing } from './published-listing.js';
