/** @module A thread that looks at documents from end to end, for {@link CheckPool}. */
import type { Encoding } from '@_all_docs/http';
import { checkPackument } from '@_all_docs/packument';
import { parentPort } from 'node:worker_threads';
import { zlibCodec } from './zlib-codec.js';

export interface CheckTask {
  id: number;
  name: string;
  body: Uint8Array;
  encoding: Encoding;
}

parentPort?.on('message', async ({ id, name, body, encoding }: CheckTask) => {
  try {
    parentPort?.postMessage({ id, checked: await checkPackument(name, body, encoding, 'parse', zlibCodec) });
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    parentPort?.postMessage({ id, code, message });
  }
});
