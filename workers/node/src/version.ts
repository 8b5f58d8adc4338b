/** This package's version, as its manifest says; the release script keeps them alike. */
export const VERSION = '0.1.0';
