/** What the keys of rows and entries begin with that are pulled through, derived or noted on the way; an encoded registry follows. */
export const PULLED_PREFIX = 'v1:pulled:';
export const DERIVED_PREFIX = 'v1:derived:';
export const DERIVED_LEDGER_PREFIX = 'v1:derived-ledger:';
export const RESOURCE_PREFIX = 'v1:resource:';
export const RESOURCE_LEDGER_PREFIX = 'v1:resource-ledger:';
export const ABSENT_PREFIX = 'v1:absent:';
/** What the keys of leases begin with under which processes ask the origin in each other's stead. */
export const FLIGHT_PREFIX = 'v1:flight:';
