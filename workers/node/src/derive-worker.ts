/** @module A thread that makes documents out of others, for {@link DerivePool}. */
import type { Encoding } from '@_all_docs/http';
import { type DeriveOptions, deriveDocument } from '@_all_docs/registry';
import { parentPort } from 'node:worker_threads';
import { zlibCodec } from './zlib-codec.js';

export interface DeriveTask {
  source: Uint8Array;
  encoding: Encoding;
  options: DeriveOptions;
}

export interface DeriveReply {
  body?: Uint8Array;
  code?: string;
  message?: string;
}

parentPort?.on('message', async ({ source, encoding, options }: DeriveTask) => {
  let reply: DeriveReply;
  try {
    reply = { body: await deriveDocument(source, encoding, options, zlibCodec) };
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    reply = { ...(code === undefined ? {} : { code }), message };
  }
  const { buffer, length } = reply.body ?? new Uint8Array();
  // Bytes with a buffer of their own change hands; others are copied, with all that lies beside them.
  parentPort?.postMessage(reply, length > 0 && length === buffer.byteLength ? [buffer as ArrayBuffer] : []);
});
