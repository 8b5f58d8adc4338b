/** `node:http`, as CommonJS has it: imported as an ES module it loads a WebSocket client, too, for 15 ms. */
export const { createServer, STATUS_CODES } = process.getBuiltinModule('node:http');
