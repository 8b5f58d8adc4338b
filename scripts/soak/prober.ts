import type { Removed } from '../../test/fake-origin/index.ts';
import { below } from '../crash-states/random.ts';
import type { OriginControl } from './origin.ts';

/** How long after its row was applied a removed version may still be served. */
const GRACE_MS = 5_000;
const MOST_WATCHED = 20_000;
const FORMS = ['application/json', 'application/vnd.npm.install-v1+json'];

interface Watched extends Removed {
  /** When the follower was past its row for all that is known, by `performance.now()`; `undefined` until it was. */
  appliedAt: number | undefined;
}

/** As npm asks, with its slash escaped: of `@scope/..` a URL would make something else. */
export function packageUrl(server: string, name: string): string {
  return `${server}/npm/${encodeURIComponent(name)}`;
}

/** Asks the server all the time for what was removed, in every form. */
export class Prober {
  readonly problems: string[] = [];
  probes = 0;
  refused = 0;
  readonly #origin: OriginControl;
  readonly #server: () => string | undefined;
  readonly #random: () => number;
  #watched: Watched[] = [];

  constructor(origin: OriginControl, server: () => string | undefined, random: () => number) {
    this.#origin = origin;
    this.#server = server;
    this.#random = random;
  }

  /** Removals that have a row in the feed. */
  watch(removed: readonly Removed[]): void {
    for (const each of removed) if (each.how !== 'silent') this.#watched.push({ ...each, appliedAt: undefined });
    while (this.#watched.length > MOST_WATCHED) this.#watched.splice(below(this.#random, this.#watched.length), 1);
  }

  /** The follower has applied all rows up to a sequence. */
  applied(cursor: number): void {
    const now = performance.now();
    for (const each of this.#watched) if (each.appliedAt === undefined && each.seq <= cursor) each.appliedAt = now;
  }

  /** One removal that should be nowhere any more; `false` when there is none to be asked for yet. */
  async probe(): Promise<boolean> {
    const server = this.#server();
    const watched = this.#watched[below(this.#random, this.#watched.length)];
    if (!server || !watched || !(performance.now() - (watched.appliedAt ?? Number.POSITIVE_INFINITY) > GRACE_MS))
      return false;
    const shown = await this.#shown(server, watched).catch(() => undefined);
    if (shown === undefined) return false;
    this.probes += 1;
    if (shown.length === 0) {
      this.refused += 1;
      return true;
    }
    const { name, how, rev, version } = watched;
    // Somebody may have published it again meanwhile: then it is there by right.
    if ((await this.#origin.document(name)).rev === rev)
      this.problems.push(`${name} ${version} (${how}, ${rev}) was served after its removal: ${shown.join()}`);
    this.#watched = this.#watched.filter((other) => other !== watched);
    return true;
  }

  /** In which forms the server shows a version that was removed. */
  async #shown(server: string, { name, how, version }: Removed): Promise<string[]> {
    const base = packageUrl(server, name);
    const shown: string[] = [];
    for (const accept of FORMS) {
      const response = await fetch(base, { headers: { accept } });
      const text = await response.text();
      if (response.status !== 200) continue;
      const { versions = {} } = JSON.parse(text) as { versions?: object };
      if (how === 'deleted' || how === '404' || Object.hasOwn(versions, version)) shown.push(accept);
    }
    const file = `${name.split('/').at(-1)}-${version}.tgz`;
    for (const path of [`${base}/${version}`, `${base}/-/${encodeURIComponent(file)}`]) {
      const response = await fetch(path);
      await response.arrayBuffer();
      if (response.status === 200) shown.push(path.slice(server.length));
    }
    return shown;
  }
}
