import type { Decision } from './member-scanner.js';
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

/** What a version says of its tarball: whatever stands there. */
interface DistText {
  tarball?: unknown;
  integrity?: unknown;
  shasum?: unknown;
}

/** What a document says in short, as JSON for {@link readSummary}; of one version only, where that is named. */
export class Summarizing implements Projection {
  readonly #only: string | undefined;
  readonly #summary: SummaryText = { tags: [], versions: [] };
  #dist: DistText = {};
  #done = false;

  constructor(only?: string) {
    this.#only = only;
  }

  decide({ length, 0: first }: readonly string[], key: string): Decision {
    if (length === 0) {
      if (key === 'versions' || key === 'time') return 'enter';
      return key === 'dist-tags' || key === 'modified' || key === 'description' ? 'take' : 'skip';
    }
    if (first === 'time') return key === 'modified' ? 'take' : 'skip';
    if (length === 1) return this.#only === undefined || this.#only === key ? 'enter' : 'skip';
    if (length === 2) return key === 'dist' ? 'enter' : 'skip';
    return key === 'tarball' || key === 'integrity' || key === 'shasum' ? 'take' : 'skip';
  }

  enter({ length }: readonly string[]): void {
    if (length === 2) this.#dist = {};
  }

  leave({ length, 1: version }: readonly string[]): void {
    if (length === 2) this.#version(version as string);
  }

  member(path: readonly string[], key: string, value: Uint8Array): void {
    if (path.length === 3) this.#dist[key as keyof DistText] = parseValue(value);
    else if (path.length === 1 && path[0] === 'versions') this.#version(key);
    else if (key === 'dist-tags') this.#tags(parseValue(value));
    else if (key === 'modified' || key === 'description') this.#text(key, parseValue(value));
  }

  take(): Uint8Array {
    return this.#done ? new TextEncoder().encode(JSON.stringify(this.#summary)) : new Uint8Array();
  }

  finish(): void {
    this.#done = true;
  }

  #version(version: string): void {
    const { tarball, integrity, shasum } = this.#dist;
    this.#dist = {};
    this.#summary.versions.push(
      typeof tarball === 'string' ? [version, tarball, textOr(integrity), textOr(shasum)] : [version],
    );
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
