import { type Decision, MemberScanner, type MemberVisitor } from './member-scanner.js';
import { isObject, type Projection, parseValue } from './projection.js';
import { isTarballFile, tarballFile } from './tarball-url.js';
import type { Dist } from './types.js';

/** What other routes need to know of a document: little, where the document may have megabytes. */
export interface Summary {
  modified?: string | undefined;
  description?: string | undefined;
  tags: Map<string, string>;
  versions: Set<string>;
  /** By the file name under which the tarball is served. */
  dists: Map<string, Dist>;
}

/** As it travels between threads: plain JSON, without objects whose keys a publisher chose. */
interface SummaryText {
  modified?: string;
  description?: string;
  tags: [tag: string, version: string][];
  versions: [version: string, tarball?: string, integrity?: string | null, shasum?: string | null][];
}

/** What a document says in short, as JSON for {@link readSummary}; of one version only, where that is named. */
export class Summarizing implements Projection {
  readonly #only: string | undefined;
  readonly #summary: SummaryText = { tags: [], versions: [] };
  #done = false;

  constructor(only?: string) {
    this.#only = only;
  }

  decide(parent: string | undefined, key: string): Decision {
    if (parent === 'versions') return this.#only === undefined || this.#only === key ? 'take' : 'skip';
    if (parent === 'time') return key === 'modified' ? 'take' : 'skip';
    if (key === 'versions' || key === 'time') return 'enter';
    return key === 'dist-tags' || key === 'modified' || key === 'description' ? 'take' : 'skip';
  }

  member(parent: string | undefined, key: string, value: Uint8Array): void {
    if (parent === 'versions') this.#summary.versions.push(summarizeVersion(key, value));
    else if (key === 'versions' || key === 'time') return;
    else if (key === 'dist-tags') this.#tags(parseValue(value));
    else this.#text(key as 'modified' | 'description', parseValue(value));
  }

  take(): Uint8Array {
    return this.#done ? new TextEncoder().encode(JSON.stringify(this.#summary)) : new Uint8Array();
  }

  finish(): void {
    this.#done = true;
  }

  #tags(tags: unknown): void {
    if (!isObject(tags)) return;
    for (const [tag, version] of Object.entries(tags)) {
      if (typeof version === 'string') this.#summary.tags.push([tag, version]);
    }
  }

  #text(key: 'modified' | 'description', value: unknown): void {
    if (typeof value === 'string') this.#summary[key] = value;
  }
}

function summarizeVersion(version: string, text: Uint8Array): SummaryText['versions'][number] {
  const dist = new Map<string, unknown>();
  const visitor: MemberVisitor = {
    decide(parent, key) {
      if (parent === undefined) return key === 'dist' ? 'enter' : 'skip';
      return key === 'tarball' || key === 'integrity' || key === 'shasum' ? 'take' : 'skip';
    },
    member(parent, key, value) {
      if (parent !== undefined) dist.set(key, parseValue(value));
    },
  };
  // Only an object has members.
  if (text[0] === 0x7b) new MemberScanner(visitor).push(text);
  const tarball = dist.get('tarball');
  return typeof tarball === 'string'
    ? [version, tarball, textOr(dist.get('integrity')), textOr(dist.get('shasum'))]
    : [version];
}

function textOr(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** What {@link Summarizing} wrote for the document of `name`. */
export function readSummary(name: string, text: Uint8Array): Summary {
  const { modified, description, tags, versions } = JSON.parse(new TextDecoder().decode(text)) as SummaryText;
  const dists = new Map<string, Dist>();
  for (const [version, tarball, integrity, shasum] of versions) {
    if (tarball === undefined) continue;
    const dist = { version, tarball, integrity: integrity ?? undefined, shasum: shasum ?? undefined };
    const file = tarballFile(name, version, tarball);
    if (isTarballFile(file)) keep(dists, name, file, dist);
  }
  return { modified, description, tags: new Map(tags), versions: new Set(versions.map(([version]) => version)), dists };
}

/** Should two versions claim one file, the one that it is named after has it. */
function keep(dists: Map<string, Dist>, name: string, file: string, dist: Dist): void {
  const own = `${name.slice(name.indexOf('/') + 1)}-${dist.version}.tgz`;
  if (!dists.has(file) || file === own) dists.set(file, dist);
}
