import { createStorageDriver } from '@_all_docs/cache';
import { documentPrefix, type PackumentForm } from '@_all_docs/packument';
import { PAGE_LIMIT } from '@_all_docs/partition';
import type { Env } from '../interfaces.js';
import { pivotsFor } from './learned-pivots.js';
import { countRange, readOriginInfo } from './origin-info.js';
import type { Depth } from './run.js';
import { type RangeSelection, rangePartitions, type Selection } from './selection.js';
import type { PlannedTarballs, planTarballs } from './tarball-plan.js';

/** What a bootstrap would take, before it is begun. Sizes are estimates and say from what. */
export interface BootstrapPlan {
  /** Packages selected; `undefined` when the origin gives no way to count a range. */
  packages: number | undefined;
  /** Of the packages selected, how many are held already; counted for lists of names, estimated for none. */
  requests: { list: number; packuments: number; tarballs?: number | undefined; total: number } | undefined;
  /** With the depth `tarballs`; where their number is not known, neither are the requests for them, in `requests` or `hours`. */
  tarballs?: PlannedTarballs | undefined;
  /** Compressed bytes over the network, and on disk with the overhead of the store that would be used. Tarballs come on top. */
  bytes: number | undefined;
  diskBytes: number | undefined;
  files: number | undefined;
  /** What each kind of store would make of it. */
  stores: Record<PlannedStore, { diskBytes: number; files: number }> | undefined;
  /** The store to choose and why, where another one than the one that would be used is much better. */
  recommended: { store: PlannedStore; reason: string } | undefined;
  hours: number | undefined;
  bytesPerPackument: number;
  bytesPerPackumentFrom: 'held documents' | 'an assumed mean';
  rate: number;
  budget: { limit: number | undefined; used: number; months: number | undefined };
}

/** Kinds of store on a disk: a file for each body, or one file for all. */
export type PlannedStore = 'cacache' | 'sqlite';

export interface PlanOptions {
  selection: Selection;
  depth?: Depth;
  form?: PackumentForm;
  /** The store that would be used; `cacache` unless told. */
  store?: PlannedStore;
  /** Requests a second. */
  rate?: number;
  /** The month's budget and what is used of it; no limit where absent. */
  budget?: { limit: number; used: number } | undefined;
}

/** Mean compressed size where nothing is held to go by: between the means published for the whole registry and our own sample. */
const ASSUMED_BYTES: Record<PackumentForm, number> = { full: 8_000, abbreviated: 3_000 };
/** cacache, for each entry: the body in 4 KiB blocks, its index file, and a share of their folders. */
const CACACHE_OVERHEAD = 6_300;
const CACACHE_FILES = 2;
/** SQLite: pages that are not full, and the index. */
const SQLITE_FACTOR = 1.1;
/** Beyond so many documents a file for each weighs on the file system: on its inodes, on back-ups, on every listing. */
const MANY = 100_000;
const TOO_MANY_FILES = 'cacache makes 2 million files for each million entries, sqlite keeps all in one';
const SAMPLE = 1_000;

/** Estimates requests, bytes, hours, disk and budget. Asks the origin for its count (and two offsets for a part of the names), and for nothing else. */
export async function planBootstrap(options: PlanOptions, env: Env): Promise<BootstrapPlan> {
  const { selection, depth = 'packuments', form = 'full', store = 'cacache', rate = 20, budget } = options;
  const packages = await countPackages(selection, env);
  const sampled = await sampleBytes(env, form);
  const each = sampled ?? ASSUMED_BYTES[form];
  const plan: BootstrapPlan = {
    packages,
    requests: undefined,
    bytes: undefined,
    diskBytes: undefined,
    files: undefined,
    stores: undefined,
    recommended: undefined,
    hours: undefined,
    bytesPerPackument: Math.round(each),
    bytesPerPackumentFrom: sampled === undefined ? 'an assumed mean' : 'held documents',
    rate,
    budget: { limit: budget?.limit, used: budget?.used ?? 0, months: undefined },
  };
  if (packages === undefined) return plan;
  const list = selection.kind === 'names' ? 0 : await listRequests(selection, packages, env);
  const documents = depth === 'names' ? 0 : packages;
  if (depth === 'tarballs') plan.tarballs = await countTarballs(selection, packages, form, env);
  const tarballs = plan.tarballs?.count;
  const total = list + documents + (tarballs ?? 0);
  plan.requests = { list, packuments: documents, tarballs, total };
  plan.bytes = Math.round(documents * each + packages * (selection.kind === 'names' ? 0 : 33));
  plan.stores = onDisk(plan.bytes, list + documents);
  ({ diskBytes: plan.diskBytes, files: plan.files } = plan.stores[store]);
  plan.recommended = store === 'cacache' && documents > MANY ? { store: 'sqlite', reason: TOO_MANY_FILES } : undefined;
  plan.hours = rate === Number.POSITIVE_INFINITY ? 0 : Math.round((total / rate / 3600) * 100) / 100;
  if (budget) {
    const now = Math.max(0, budget.limit - budget.used);
    plan.budget.months = total <= now ? 1 : 1 + Math.ceil((total - now) / budget.limit);
  }
  return plan;
}

/** Loads what reads documents only where it is wanted. */
const countTarballs: typeof planTarballs = async (...args) => (await import('./tarball-plan.js')).planTarballs(...args);

/** Disk and files of so many entries, by kind of store. */
function onDisk(bytes: number, entries: number): Record<PlannedStore, { diskBytes: number; files: number }> {
  return {
    cacache: { diskBytes: bytes + entries * CACACHE_OVERHEAD, files: entries * CACACHE_FILES },
    sqlite: { diskBytes: Math.round(bytes * SQLITE_FACTOR), files: 1 },
  };
}

async function countPackages(selection: Selection, env: Env): Promise<number | undefined> {
  if (selection.kind === 'names') return selection.names.length;
  const { docCount } = await readOriginInfo(env);
  return countRange(env, selection, docCount);
}

/** The root before and after; pages, and for each partition one more that says there is nothing more. */
async function listRequests(selection: RangeSelection, packages: number, env: Env): Promise<number> {
  const store = env.ordered ?? (await createStorageDriver(env)).ordered;
  const pivots = store
    ? await pivotsFor(store, env.origin, selection)
    : (selection.pivots ?? selection.firstPivots ?? []);
  const partitions = rangePartitions(selection, pivots, env.origin).length;
  return 2 + partitions + Math.max(partitions, Math.ceil(packages / (PAGE_LIMIT - 1)));
}

/** Mean size of the first documents held; `undefined` when too few are to mean anything. */
async function sampleBytes(env: Env, form: PackumentForm): Promise<number | undefined> {
  const storage = await createStorageDriver(env);
  const prefix = documentPrefix(form, env.registry);
  let count = 0;
  let bytes = 0;
  for await (const key of storage.list(prefix, { limit: SAMPLE })) {
    bytes += (await storage.head(key))?.size ?? 0;
    count += 1;
  }
  return count < 100 ? undefined : bytes / count;
}
