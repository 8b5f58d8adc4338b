/** For codings that this runtime does not know: the contract asks for it in tests that are off here. */
declare module 'node:zlib';
