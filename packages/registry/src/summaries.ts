import type { StoredEntry } from '@_all_docs/cache';
import { ByteLru } from './byte-lru.js';
import type { DerivedCache } from './derived-cache.js';
import type { Documents, Found } from './documents.js';
import type { SingleFlight } from './single-flight.js';
import { readSummary, type Summary } from './summary.js';
import { versionOfFile } from './tarball-url.js';
import type { Dist } from './types.js';

const MEMORY_BYTES = 32 * 1024 * 1024;
/** Maps and strings take about so many bytes for one of their text. */
const OVERHEAD = 3;

/** So many tarballs of one package are looked up one by one; whoever wants more gets them out of a summary. */
const MOST_GLANCES = 3;
const MOST_GLANCED = 10_000;

/** What documents say in short, read once while they do not change; the lately used ones stay in memory. */
export class Summaries {
  readonly #documents: Documents;
  readonly #derived: DerivedCache;
  readonly #flight: SingleFlight;
  readonly #memory = new ByteLru<{ digest: string; summary: Summary }>(MEMORY_BYTES);

  readonly #glances = new ByteLru<{ digest: string; dists: Map<string, Dist> }>(MOST_GLANCED);

  constructor(documents: Documents, derived: DerivedCache, flight: SingleFlight) {
    this.#documents = documents;
    this.#derived = derived;
    this.#flight = flight;
  }

  /** `undefined` when the document is gone by now. */
  async of({ name, digest }: Pick<Found, 'name' | 'digest'>): Promise<Summary | undefined> {
    const kept = this.#memory.get(name);
    if (kept?.digest === digest) return kept.summary;
    return this.#flight(`summary:${name}`, async () => {
      const source = await this.#documents.read(name);
      return source && this.#summarize(name, source);
    });
  }

  /**
   * What the document says of the tarball `file`; `undefined` when the package has no such tarball. An old document is
   * renewed before that is said. Rejects with the trouble there was, `ERR_OFFLINE` where nobody is asked.
   */
  async distOf(name: string, file: string): Promise<Dist | undefined> {
    const found = await this.#documents.find(name);
    return found && ((await this.#glance(found, file)) ?? this.#lookUp(found, ({ dists }) => dists.get(file)));
  }

  /** The version that a tag or a version stands for; `undefined` when the package has no such version. Rejects as {@link distOf}. */
  versionOf(found: Found, wanted: string): Promise<string | undefined> {
    return this.#lookUp(found, ({ tags, versions }) => {
      const version = tags.get(wanted) ?? wanted;
      return versions.has(version) ? version : undefined;
    });
  }

  /**
   * Most clients want one tarball of a package, and its file name tells the version: that one is looked up without
   * reading what is said of all others. `undefined` when this does not help, or did too often: then all are read.
   */
  async #glance({ name, digest }: Found, file: string): Promise<Dist | undefined> {
    if (this.#memory.peek(name)?.digest === digest) return undefined;
    const before = this.#glances.get(name);
    const glances = before?.digest === digest ? before : { digest, dists: new Map<string, Dist>() };
    const known = glances.dists.get(file);
    const version = known ? undefined : versionOfFile(name, file);
    if (version === undefined || glances.dists.size >= MOST_GLANCES) return known;
    return this.#flight(`glance:${name}:${file}`, async () => {
      const source = await this.#documents.read(name);
      if (source?.metadata.digest !== digest) return undefined;
      const dist = readSummary(name, await this.#derived.derive(source, { name, form: 'summary', version })).dists.get(
        file,
      );
      if (dist) glances.dists.set(file, dist);
      this.#glances.set(name, glances, 1);
      return dist;
    });
  }

  /** What `pick` finds in the document; it is renewed before nothing is found in an old one. */
  async #lookUp<Value>(found: Found, pick: (summary: Summary) => Value | undefined): Promise<Value | undefined> {
    const summary = await this.of(found);
    const picked = summary && pick(summary);
    if (picked !== undefined || found.how !== 'stale') return picked;
    const renewed = await this.#documents.refresh(found);
    const anew = renewed && (await this.of(renewed));
    return anew && pick(anew);
  }

  async #summarize(name: string, source: StoredEntry): Promise<Summary> {
    const text = await this.#derived.derive(source, { name, form: 'summary' });
    const summary = readSummary(name, text);
    this.#memory.set(name, { digest: source.metadata.digest as string, summary }, text.length * OVERHEAD);
    return summary;
  }
}
