import type { Outline } from './document.ts';
import { describeText, headText, iso, manifestWriter, timeText } from './document-text.ts';
import { publishedAt, versionAt } from './plan.ts';

/**
 * A live document with as many more versions as fit into `bytes`, in pieces that are made when they are asked for.
 * The first versions are the honest document's; spaces before the last brace make the size exact.
 */
export function* hugeText(outline: Outline, bytes: number): Iterable<string> {
  const frame = outline.form === 'full' ? fullFrame(outline) : abbreviatedFrame(outline);
  const fixed = frame.head + frame.middle + frame.tail;
  let room = bytes - Buffer.byteLength(fixed) - 1;
  let count = 0;
  yield frame.head;
  for (; ; count++) {
    const [version, time] = [frame.version(count), frame.time(count)];
    const size = Buffer.byteLength(version) + time.length;
    if (size > room) break;
    room -= size;
    yield version;
  }
  yield frame.middle;
  for (let i = 0; i < count; i++) yield frame.time(i);
  yield `${frame.tail}${' '.repeat(Math.max(0, room))}}`;
}

/** What stands before, between and behind the versions and their dates; the last brace is left out. */
interface Frame {
  head: string;
  middle: string;
  tail: string;
  /** The version as a member, led by a comma if there was one before. */
  version(index: number): string;
  time(index: number): string;
}

function fullFrame(outline: Outline): Frame {
  // Split where a version's date would stand.
  const [middle, tail] = timeText(outline, '\n').split('\n') as [string, string];
  return {
    head: `${headText(outline)},${openText(outline)}`,
    middle: `},${middle.slice(0, -1)}`,
    tail: (tail + describeText(outline, 0, outline.plan.hash)).slice(0, -1),
    version: versionWriter(outline),
    time: (index) => `,"${versionAt(outline.plan, index)}":"${iso(publishedAt(outline.plan, index))}"`,
  };
}

function abbreviatedFrame(outline: Outline): Frame {
  return {
    head: `{"name":${JSON.stringify(outline.doc.name)},${openText(outline)}`,
    middle: '',
    tail: `},"modified":"${iso(outline.modified)}"`,
    version: versionWriter(outline),
    time: () => '',
  };
}

/** The first version is the latest: how many there will be is not known yet. */
function openText({ plan }: Outline): string {
  return `"dist-tags":{"latest":"${versionAt(plan, 0)}"},"versions":{`;
}

function versionWriter(outline: Outline): (index: number) => string {
  const manifests = manifestWriter(outline);
  return (index) => `${index === 0 ? '' : ','}"${versionAt(outline.plan, index)}":${manifests(index)}`;
}
