import { FileModel } from './file-model.ts';
import { type CrashState, overlay, treeOf } from './state.ts';
import type { Event, Recording } from './trace.ts';

/**
 * What `kill -9` may leave: the operating system keeps all that was handed to it, so every prefix of the recording, and
 * every prefix whose last write was cut short.
 */
export function* processStates(round: number, recording: Recording): Iterable<CrashState> {
  const model = new FileModel();
  for (const [place, event] of recording.entries()) {
    if (event.type === 'write') {
      const { now } = model.contentOf(event.inode);
      for (const [sample, length] of tears(event.data.length).entries()) {
        const tree = () => {
          const torn = overlay(now, event.offset, event.data.subarray(0, length));
          return treeOf(model.names, (inode) => (inode === event.inode ? torn : model.contentOf(inode).now));
        };
        yield { round, position: place, kind: 'torn', sample, tree };
      }
    }
    model.apply(event);
    // A sync adds nothing here; and what is known before an acknowledgement is less than what is known after it.
    if (event.type === 'ack' || (isChange(event) && recording[place + 1]?.type !== 'ack')) {
      const tree = () => treeOf(model.names, (inode) => model.contentOf(inode).now);
      yield { round, position: place + 1, kind: 'prefix', sample: 0, tree };
    }
  }
}

function isChange({ type }: Event): boolean {
  return type !== 'sync' && type !== 'sync-names' && type !== 'start';
}

/** Lengths at which a write may end: within the first bytes, in the middle, at a sector, before the last byte. */
function tears(length: number): number[] {
  const lengths = [1, Math.floor(length / 3), 512, Math.floor(length / 2), Math.floor((length * 4) / 5), length - 1];
  return [...new Set(lengths)].filter((at) => at > 0 && at < length).sort((a, b) => a - b);
}
