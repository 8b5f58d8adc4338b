import { ChangeLog } from '@_all_docs/changes';
import { ExpiryManager } from '@_all_docs/content';
import { NpmRegistry } from '@_all_docs/registry';
import { codeOf, messageOf, processWorkItem, type WorkItem, type WorkResult } from '@_all_docs/worker';
import { openOrigin, type ServedRegistry } from '@_all_docs/worker-node/serve';
import type { CloudRunEnv } from './create-env.js';
import type { Settings } from './settings.js';
import { answerWork, type WorkOptions } from './work.js';

/** The registry over a bucket. */
export interface OpenRegistry {
  served: ServedRegistry;
  /** Ends what goes on behind answers that were given. */
  close(): Promise<void>;
}

const DEFAULT_MAX_BYTES = 1e12;
const DEFAULT_TTL_MS = 90 * 24 * 3600_000;
/** A blob that is linked by nobody may just have been stored. */
const GRACE_MS = 3600_000;

/** Binds the registry, the replica's origin and `POST /work` to an environment. */
export function openRegistry(
  env: CloudRunEnv,
  {
    publicUrl,
    maxBytes = DEFAULT_MAX_BYTES,
    ttlMs = DEFAULT_TTL_MS,
  }: Pick<Settings, 'publicUrl' | 'maxBytes' | 'ttlMs'>,
  check: WorkOptions['check'],
): OpenRegistry {
  const { ordered, clock } = env;
  const origin = env.originKnown ? env.origin : undefined;
  const log = origin === undefined ? undefined : new ChangeLog({ ordered, origin });
  const announced = log && ((name: string) => log.announced(name));
  const registry: NpmRegistry = new NpmRegistry({
    env: { ...env, origin, announced },
    options: { publicUrl, documentBytes: maxBytes, touch: (key) => expiry.touch(key) },
  });
  const { index } = registry.tarballs;
  const expiry = new ExpiryManager({ index, clock, maxBytes, ttlMs });
  const replica = openOrigin(env, { form: undefined });
  /** Between requests an instance may stand still, so that timers are no good: a scheduler pushes this. */
  const expire = async (): Promise<WorkResult> => {
    const { expired, evicted } = await expiry.run();
    const { blobs, bytes } = await index.sweep({ graceMs: GRACE_MS, orphans: true });
    env.logger?.info?.('held within bounds', { expired, evicted, blobs, bytes });
    return { success: true, rows: expired + evicted, bytes };
  };
  const process = async (item: WorkItem): Promise<WorkResult> => {
    if (item.type !== 'expire') return processWorkItem(item, env);
    try {
      return await expire();
    } catch (error) {
      return { success: false, error: messageOf(error), code: codeOf(error) };
    }
  };
  return {
    served: {
      hot: (method, target, headers) => registry.hot(method, target, headers),
      async answer(request, target) {
        if (request.method === 'POST' && target === '/work')
          return answerWork(request, { check, process, logger: env.logger });
        return (await replica.answer(request, target)) ?? registry.answer(request, target);
      },
      stats: () => ({ ...registry.stats(), tarballs: registry.tarballs.stats() }),
    },
    close: () => registry.close(),
  };
}
