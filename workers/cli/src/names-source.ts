import { heldNames, heldRanges, PartitionClient } from '@_all_docs/partition';
import type { NodeEnv } from '@_all_docs/worker-node';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { CliError, EXIT } from './exit.js';

/** Names of all that is listed, in order. `ERR_NOT_LISTED` when nothing is. */
export async function namesHeld(env: NodeEnv): Promise<AsyncIterable<string>> {
  const ranges = await heldRanges(env);
  if (ranges.length > 0) return heldNames(new PartitionClient({ env }), ranges);
  throw new CliError(
    'ERR_NOT_LISTED',
    `no listing of ${env.origin} is held; make one with: _all_docs partition fetch`,
    EXIT.failure,
  );
}

/** Names of a file (`-`: standard input), one a line, as they come: a list of millions is never in memory. */
export async function* namesInFile(file: string): AsyncIterable<string> {
  const input = file === '-' ? process.stdin : createReadStream(file, 'utf8');
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (line !== '' && !line.startsWith('#')) yield line;
    }
  } catch (cause) {
    throw new CliError('ERR_NO_FILE', `cannot read ${file}: ${(cause as Error).message}; check its path`, undefined, {
      cause,
    });
  }
}
