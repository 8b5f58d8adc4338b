/** What tests name of Node: codings that are off here, and the server that runs there. */
declare module 'node:zlib';
declare module 'node:http';
declare module 'node:net';
