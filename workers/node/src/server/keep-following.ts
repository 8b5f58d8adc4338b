import { codeOf, type Env, type FollowOptions, follow, messageOf } from '@_all_docs/worker';

const FIRST_PAUSE_MS = 1_000;
const LAST_PAUSE_MS = 300_000;
/** Who followed so long did not fail at his start. */
const HEALTHY_MS = 600_000;

/** Follows the feed beside the server, and begins again whenever that ends: the server answers meanwhile. Gives a function that ends it. */
export function keepFollowing(env: Env, options: Omit<FollowOptions, 'once' | 'signal'>): () => Promise<void> {
  const ending = new AbortController();
  const { signal } = ending;
  const loop = async () => {
    for (let failures = 0; !signal.aborted; ) {
      const startedAt = env.clock.now();
      try {
        const { reason } = await follow({ ...options, signal }, env, (event) => {
          if (event.type === 'alarm') env.logger?.error?.('the feed cannot be relied on', { ...event });
        });
        if (reason) throw Object.assign(new Error(reason.message), { code: reason.code });
      } catch (error) {
        if (signal.aborted) return;
        failures = env.clock.now() - startedAt > HEALTHY_MS ? 1 : failures + 1;
        const waitMs = Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
        env.logger?.error?.('following the feed failed; it is begun again', {
          code: codeOf(error),
          error: messageOf(error),
          waitMs,
        });
        await env.clock.sleep(waitMs, signal).catch(() => undefined);
      }
    }
  };
  const ended = loop();
  return async () => {
    ending.abort();
    await ended;
  };
}
