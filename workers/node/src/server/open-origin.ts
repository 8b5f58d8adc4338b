import type { OrderedStore, StorageDriver } from '@_all_docs/cache';
import { encodeOrigin } from '@_all_docs/cache';
import { ChangeLog, readCursor } from '@_all_docs/changes';
import { type ChangeSource, ReplicaOrigin, readListing } from '@_all_docs/origin';
import type { PackumentForm } from '@_all_docs/packument';
import type { Answer, AnswerRequest } from '@_all_docs/registry';
import { type Logger, listRuns } from '@_all_docs/worker';
import type { Network } from '../network.js';
import { withoutQuery } from './target.js';

/** The part of an environment that an origin needs. */
export interface OriginEnv extends Network {
  storage: StorageDriver & { ordered: OrderedStore };
  logger?: Logger | undefined;
}

export interface OpenOriginOptions {
  form: PackumentForm | undefined;
}

/** A replica's directory as an origin for others. */
export function openOrigin(
  env: OriginEnv,
  { form }: OpenOriginOptions,
): { answer(request: AnswerRequest, target: string): Promise<Answer | undefined> } {
  const { ordered } = env.storage;
  const onFailure = (target: string, error: unknown) =>
    env.logger?.error?.('a request failed', { target: withoutQuery(target), error: String(error) });
  const open = (origin: string) =>
    new ReplicaOrigin({
      env: { ...env, origin, ordered, changes: followed(env, origin) },
      options: { form, onFailure },
    });
  let opened = env.originKnown ? open(env.origin) : undefined;
  return {
    async answer(request, target) {
      // Most requests are for packages: nobody looks for an origin for them.
      if (!opened && isForOrigin(target)) {
        const origin = await listedOrigin(env);
        if (origin === undefined) return open(env.registry).answer(request, target);
        opened = open(origin);
      }
      return opened?.answer(request, target);
    },
  };
}

/** What was followed, up to the cursor: past it a page may have been taken in by half, and whoever reads on would miss the rest. */
function followed({ storage: { ordered } }: OriginEnv, origin: string): ChangeSource {
  const log = new ChangeLog({ ordered, origin });
  const head = async () => (await readCursor({ ordered, origin }))?.cursor;
  return {
    head,
    byName: (range) => log.byName(range),
    async after(since, limit) {
      const last = (await head()) ?? 0;
      return (await log.after(since, limit)).filter(({ seq }) => seq <= last);
    },
  };
}

function isForOrigin(target: string): boolean {
  return !target.startsWith('/npm/') && !target.endsWith('.tgz');
}

/** The replication host that a listing of this registry was made from; `undefined` when there is none that is complete. */
async function listedOrigin({ storage, registry }: OriginEnv): Promise<string | undefined> {
  for (const run of await listRuns(storage.ordered)) {
    if (encodeOrigin(run.registry) !== encodeOrigin(registry)) continue;
    if (await readListing(storage.ordered, run.origin)) return run.origin;
  }
  return undefined;
}
