import { type ContentEvent, changed, type FileContent, FileModel, type NameState, rename } from './file-model.ts';
import { below, mulberry32 } from './random.ts';
import { type CrashState, overlay, resize, treeOf } from './state.ts';
import type { Recording } from './trace.ts';

/** What becomes of the changes that no sync had made safe. */
type Names = (model: FileModel) => Map<string, number>;
type Content = (file: FileContent) => Buffer;

const SECTOR = 512;

const safeNames: Names = ({ strict }) => strict.safe;
const allNames: Names = ({ names }) => names;
const safeContent: Content = ({ safe }) => safe;
const allContent: Content = ({ now }) => now;
/** The length reached the disk, the bytes did not. */
const zeros: Content = ({ safe, now, pending }) => (pending.length === 0 ? safe : resize(safe, now.length));

/** One state of each at every place. */
const EXTREMES: [kind: string, names: Names, content: Content][] = [
  ['lost', safeNames, safeContent],
  ['names-only', allNames, safeContent],
  ['zeros', allNames, zeros],
  ['content-only', safeNames, allContent],
];

/**
 * What a power cut may leave: only what was synced is sure. At every place of the recording the four extremes, and `samples`
 * states of each sampled kind: `journal` keeps a prefix of the changes of names and of each file's writes, the last one
 * cut short; `scattered` keeps any of the changes of names and any sectors of the writes, whatever their order was.
 */
export function* powerStates(round: number, recording: Recording, samples: number): Iterable<CrashState> {
  const model = new FileModel();
  for (const [place, event] of recording.entries()) {
    const didChange = model.apply(event);
    const isLast = recording[place + 1]?.type !== 'ack';
    if (event.type !== 'ack' && !(didChange && isLast)) continue;
    const position = place + 1;
    for (const [kind, names, content] of EXTREMES) {
      const tree = () => treeOf(names(model), (inode) => content(model.contentOf(inode)));
      yield { round, position, kind, sample: 0, tree };
    }
    for (let sample = 0; sample < samples; sample++) {
      const seed = round * 1_000_003 + position * 101 + sample;
      const journal = () => {
        const random = mulberry32(seed);
        return treeOf(keepPrefix(random, model.journal), (inode) => cutWrites(random, model.contentOf(inode)));
      };
      yield { round, position, kind: 'journal', sample, tree: journal };
      const scattered = () => {
        const random = mulberry32(seed);
        const share = random();
        const scatter = (inode: number) => scatterWrites(random, share, model.contentOf(inode));
        return treeOf(keepSome(random, share, model.strict), scatter);
      };
      yield { round, position, kind: 'scattered', sample, tree: scattered };
    }
  }
}

function keepPrefix(random: () => number, { safe, pending }: NameState): Map<string, number> {
  const names = new Map(safe);
  for (const event of pending.slice(0, below(random, pending.length + 1))) rename(names, event);
  return names;
}

function keepSome(random: () => number, share: number, { safe, pending }: NameState): Map<string, number> {
  const names = new Map(safe);
  for (const event of pending) if (random() < share) rename(names, event);
  return names;
}

function cutWrites(random: () => number, { safe, pending }: FileContent): Buffer {
  const kept = pending.slice(0, below(random, pending.length + 1));
  let content = safe;
  for (const event of kept) content = changed(content, event);
  const next = pending[kept.length];
  if (next?.type !== 'write' || random() < 0.5) return content;
  return overlay(content, next.offset, next.data.subarray(0, below(random, next.data.length)));
}

/** A sector holds what one of its writes left there: later writes that are kept lie over earlier ones. */
function scatterWrites(random: () => number, share: number, { safe, pending }: FileContent): Buffer {
  let content = safe;
  for (const event of pending) {
    for (const part of sectorsOf(event)) if (random() < share) content = changed(content, part);
  }
  return content;
}

function* sectorsOf(event: ContentEvent): Iterable<ContentEvent> {
  if (event.type === 'truncate') {
    yield event;
    return;
  }
  const end = event.offset + event.data.length;
  for (let at = event.offset; at < end; ) {
    const next = Math.min(end, at - (at % SECTOR) + SECTOR);
    yield { ...event, offset: at, data: event.data.subarray(at - event.offset, next - event.offset) };
    at = next;
  }
}
