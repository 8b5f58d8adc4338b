/** @module A thread that makes documents out of others, for {@link DerivePool}. */
import type { Encoding } from '@_all_docs/http';
import type { CheckedDocument } from '@_all_docs/packument';
import { checkAndDerive, type DeriveOptions, deriveDocument } from '@_all_docs/registry';
import { parentPort } from 'node:worker_threads';
import { inPlaceCodec } from './zlib-codec.js';

export interface DeriveTask {
  source: Uint8Array;
  encoding: Encoding;
  options: DeriveOptions;
  /** Checks the document, too. */
  check: boolean;
}

export interface DeriveReply {
  /** Nothing where the document has to be checked by itself first. */
  made?: Uint8Array | undefined;
  checked?: CheckedDocument | undefined;
  error?: { code: string | undefined; message: string };
}

parentPort?.on('message', async (task: DeriveTask) => {
  let reply: DeriveReply;
  try {
    reply = await work(task);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    reply = { error: { code, message } };
  }
  const { buffer, length } = reply.made ?? new Uint8Array();
  // Bytes with a buffer of their own change hands; others are copied, with all that lies beside them.
  parentPort?.postMessage(reply, length > 0 && length === buffer.byteLength ? [buffer as ArrayBuffer] : []);
});

async function work({ source, encoding, options, check }: DeriveTask): Promise<DeriveReply> {
  if (check) return { ...(await checkAndDerive(source, encoding, options, inPlaceCodec)) };
  return { made: await deriveDocument(source, encoding, options, inPlaceCodec) };
}
