import {
  createStorageDriver,
  type EntryMetadata,
  encodeOrigin,
  hex,
  type OrderedStore,
  prefixRange,
  type RowChange,
  type StorageEnv,
  unhex,
} from '@_all_docs/cache';
import { type BlobIndex, VERSION_PREFIX } from '@_all_docs/content';
import { type Clock, type Codec, webCodec } from '@_all_docs/http';
import { type FetchResult, isOlderRevision, type Lagging, type PackumentClient } from '@_all_docs/packument';
import { type ChangedMark, newMark } from './changed-mark.js';
import type { PulledDocuments } from './pulled-documents.js';
import { readDists } from './read-dists.js';
import { type Removal, removalOf } from './removal.js';

/** Why a package is gone. `absent`: the registry answered 404 again and again, or 410, or 451. */
export type GoneReason = 'deleted' | 'absent' | Removal;

/** A package that the registry removed. */
export interface Gone {
  name: string;
  why: GoneReason;
  /** Epoch milliseconds. */
  at: number;
}

/** How a look at the registry ended: `gone` and `settled` are final, the others are tried again. */
export type Settlement = 'settled' | 'gone' | 'lagging' | 'absent';

export interface ChangedDocumentsOptions {
  env: StorageEnv & { registry: string; ordered: OrderedStore; clock: Pick<Clock, 'now'>; codec?: Codec | undefined };
  client: PackumentClient;
  /** The rows of kept tarballs: those of versions that are no more are given up. */
  tarballs?: BlobIndex | undefined;
  /** Where the account of documents is kept that were pulled through. */
  pulled: PulledDocuments;
}

/** A little more than the five minutes for which the registry's caches hold an answer, a 404 too (npm-api.md, section 1.7). */
export const CACHED_MS = 310_000;
const ENOUGH_ABSENCES = 2;
/** What lags behind longer than any cache holds it is what the registry has. */
const GIVE_UP_LAG_MS = 3_600_000;
const FIRST_RETRY_MS = 5_000;
const LAST_RETRY_MS = 900_000;
/** A longer document has versions: it is not looked at for signs of removal. */
const LARGEST_STUB = 256 * 1024;

/**
 * Documents that the feed said have changed, and packages that are gone. A mark keeps a document from being served, on
 * every process and over restarts, until {@link settle} has asked the registry for it.
 */
export class ChangedDocuments {
  readonly #options: ChangedDocumentsOptions;
  readonly #prefix: string;
  readonly #gone: string;
  readonly #versions: string;

  constructor(options: ChangedDocumentsOptions) {
    this.#options = options;
    const origin = encodeOrigin(options.env.registry);
    this.#prefix = `v1:changed:${origin}:`;
    this.#gone = `v1:gone:${origin}:`;
    this.#versions = `${VERSION_PREFIX}${origin}:`;
  }

  /** The mark of a document; `undefined` for one that is as good as it is held. */
  async get(name: string): Promise<ChangedMark | undefined> {
    return parse(await this.#options.env.ordered.get(this.#prefix + hex(name)));
  }

  /** Marks documents in one transaction; a mark of a later change stays. */
  async mark(marks: Iterable<[name: string, mark: ChangedMark]>): Promise<void> {
    const { ordered } = this.#options.env;
    const all = [...marks];
    for (;;) {
      const rows: RowChange[] = [];
      const before: RowChange[] = [];
      for (const [name, mark] of all) {
        const key = this.#prefix + hex(name);
        const value = await ordered.get(key);
        if ((parse(value)?.seq ?? Number.NEGATIVE_INFINITY) >= mark.seq) continue;
        rows.push({ key, value: JSON.stringify(mark) });
        before.push({ key, value });
      }
      // Somebody marked one of them meanwhile: perhaps later than we.
      if (rows.length === 0 || (await ordered.commit(rows, before))) return;
    }
  }

  /** After the feed's sequences began anew: any mark that comes is later than those that are there. */
  async forgetSequences(): Promise<void> {
    const { ordered } = this.#options.env;
    for await (const [name, listed] of this.marks()) {
      const key = this.#prefix + hex(name);
      for (let mark: ChangedMark | undefined = listed; mark && mark.seq !== -1; mark = await this.get(name)) {
        const value = JSON.stringify({ ...mark, seq: -1 });
        // Whoever settles marks may have put this one off since it was read.
        if (await ordered.commit([{ key, value }], [{ key, value: JSON.stringify(mark) }])) break;
      }
    }
  }

  /** All marks in the order of names. */
  async *marks(): AsyncIterable<[name: string, mark: ChangedMark]> {
    for await (const [key, text] of this.#options.env.ordered.list(prefixRange(this.#prefix))) {
      yield [unhex(key.slice(this.#prefix.length)) as string, parse(text) as ChangedMark];
    }
  }

  /** All packages that are gone, in the order of names. */
  async *gone(): AsyncIterable<Gone> {
    for await (const [key, text] of this.#options.env.ordered.list(prefixRange(this.#gone))) {
      yield { name: unhex(key.slice(this.#gone.length)) as string, ...JSON.parse(text) };
    }
  }

  /**
   * Asks the registry for a document that is marked. The mark goes when the document is there as announced, or the
   * package is gone for certain: then document and tarballs are given up. Rejects as `PackumentClient.fetch` does; the
   * mark stays then and is due again later.
   */
  async settle(name: string, signal?: AbortSignal): Promise<Settlement> {
    const { env, client, pulled } = this.#options;
    const mark = await this.get(name);
    if (!mark) return 'settled';
    const [known, goneBefore] = await Promise.all([client.heldMetadata(name), this.#goneRow(name)]);
    let result: FetchResult | Lagging;
    try {
      const announced = env.clock.now() - mark.at > GIVE_UP_LAG_MS ? undefined : mark.rev;
      result = await client.fetchChanged(name, { announced, fresh: true, known, signal });
    } catch (error) {
      await this.#again(name, mark, retryMs(mark.tries), { tries: mark.tries + 1 });
      throw error;
    }
    if (result.outcome === 'lagging') {
      await this.#again(name, mark, retryMs(mark.tries), { tries: mark.tries + 1 });
      return 'lagging';
    }
    if (result.outcome === 'absent') return this.#onAbsent(name, mark, result.status);
    // Given up while it was asked for: what came is from before that.
    if (await this.#removedSince(name, goneBefore)) return 'gone';
    // As the store has it now: only there it has the digest, which the account of pulled documents goes by.
    const held = await client.heldMetadata(name);
    if (held) {
      if (mark.pin) await pulled.drop(name);
      else await pulled.stored(name, known, held);
      await this.#heed(name, known, held);
    }
    await this.#clear(name, mark);
    return 'settled';
  }

  /** What follows from a document that was stored or confirmed: tarballs of versions that it has no more are given up. */
  async confirmed(name: string, before: EntryMetadata | undefined, now: EntryMetadata): Promise<void> {
    await this.#options.pulled.stored(name, before, now);
    if (before?.digest === undefined || before.digest !== now.digest) await this.#heed(name, before, now);
  }

  /**
   * Gives up a package: its document, its tarballs, and what was marked of it. With `unless`, only as long as that is
   * its mark still (`none`: while it has none): a later change may have brought it back. `false` when it is not given up.
   */
  async remove(name: string, why: GoneReason, unless?: { changedFrom: ChangedMark | 'none' }): Promise<boolean> {
    const { env, client, pulled } = this.#options;
    const key = this.#prefix + hex(name);
    const from = unless?.changedFrom;
    const expected = from && [{ key, value: from === 'none' ? undefined : JSON.stringify(from) }];
    const at = env.clock.now();
    // Any that comes is later: whatever its sequence, the registry is asked once more.
    const value = JSON.stringify(newMark({ seq: -1, at, absences: 1 }));
    // The word of it first, and a mark: from then on it is not served, whatever is still to be removed at a crash.
    const told = { key: this.#gone + hex(name), value: JSON.stringify({ why, at }) };
    if (!(await env.ordered.commit([told, { key, value }], expected))) return false;
    const storage = await createStorageDriver(env);
    await storage.delete(client.keyOf(name));
    await this.#release(name, () => true);
    await pulled.drop(name);
    await env.ordered.commit([{ key, value: undefined }], [{ key, value }]);
    return true;
  }

  /** Whether the package was given up since its row was `before`; then what was stored meanwhile is given up too. */
  async #removedSince(name: string, before: string | undefined): Promise<boolean> {
    const row = await this.#goneRow(name);
    if (row === undefined || row === before) return false;
    const { why } = JSON.parse(row) as { why: GoneReason };
    if (why !== 'deleted' && why !== 'absent') return false;
    await this.remove(name, why);
    return true;
  }

  #goneRow(name: string): Promise<string | undefined> {
    return this.#options.env.ordered.get(this.#gone + hex(name));
  }

  async #heed(name: string, before: EntryMetadata | undefined, now: EntryMetadata): Promise<void> {
    const { env, client } = this.#options;
    const hasTarballs = (await this.#tarballRows(name, 1)).length > 0;
    const wasGone = (await this.#goneRow(name)) !== undefined;
    const mayBeStub = now.size <= LARGEST_STUB;
    if (!hasTarballs && !wasGone && !(before && mayBeStub)) return;
    const entry = await client.held(name);
    if (!entry) return;
    if (hasTarballs) {
      const files = await readDists(name, entry, env.codec);
      await this.#release(name, (file) => !files.has(file));
    }
    const removal = mayBeStub ? await this.#removalIn(entry) : undefined;
    if (removal) await this.#note(name, removal);
    else if (wasGone) await env.ordered.commit([{ key: this.#gone + hex(name), value: undefined }]);
  }

  async #onAbsent(name: string, mark: ChangedMark, status: number): Promise<Settlement> {
    const absences = mark.absences + 1;
    if (status === 404 && absences < ENOUGH_ABSENCES) {
      await this.#again(name, mark, CACHED_MS, { absences });
      return 'absent';
    }
    return (await this.remove(name, 'absent', { changedFrom: mark })) ? 'gone' : 'absent';
  }

  /** Puts the mark off, unless somebody changed it meanwhile. */
  async #again(name: string, mark: ChangedMark, ms: number, change: Partial<ChangedMark>): Promise<void> {
    const { ordered, clock } = this.#options.env;
    const key = this.#prefix + hex(name);
    const now = clock.now();
    const value = JSON.stringify({ ...mark, ...change, askedAt: now, dueAt: now + ms });
    await ordered.commit([{ key, value }], [{ key, value: JSON.stringify(mark) }]);
  }

  async #clear(name: string, mark: ChangedMark): Promise<void> {
    const key = this.#prefix + hex(name);
    await this.#options.env.ordered.commit([{ key, value: undefined }], [{ key, value: JSON.stringify(mark) }]);
  }

  async #note(name: string, why: GoneReason): Promise<void> {
    const { ordered, clock } = this.#options.env;
    await ordered.commit([{ key: this.#gone + hex(name), value: JSON.stringify({ why, at: clock.now() }) }]);
  }

  async #removalIn({ body, metadata }: { body: Uint8Array; metadata: EntryMetadata }): Promise<Removal | undefined> {
    const text = await (this.#options.env.codec ?? webCodec).decode(body, metadata.encoding);
    return removalOf(JSON.parse(new TextDecoder().decode(text)));
  }

  async #release(name: string, isGone: (file: string) => boolean): Promise<void> {
    for (const [key, file] of await this.#tarballRows(name))
      if (isGone(file)) await this.#options.tarballs?.unlink(key);
  }

  async #tarballRows(name: string, limit?: number): Promise<[key: string, file: string][]> {
    const prefix = `${this.#versions}${hex(name)}:`;
    const rows: [string, string][] = [];
    for await (const [key] of this.#options.env.ordered.list({ ...prefixRange(prefix), limit }))
      rows.push([key, unhex(key.slice(prefix.length)) as string]);
    return rows;
  }
}

/** Whether what is held says already what the feed does. */
export function isUpToDate(held: EntryMetadata, announced: string | undefined): boolean {
  if (announced === undefined || held.rev === undefined) return false;
  return held.rev === announced || isOlderRevision(announced, held.rev);
}

function parse(text: string | undefined): ChangedMark | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as ChangedMark);
}

function retryMs(tries: number): number {
  return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 3 ** Math.min(tries, 10));
}
