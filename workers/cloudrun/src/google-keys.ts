import type { Clock } from '@_all_docs/http';
import type { SigningKey } from './oidc.js';

/** Where Google publishes the keys that it signs tokens with. */
const URL_OF_KEYS = 'https://www.googleapis.com/oauth2/v3/certs';
const LEAST_MS = 60_000;
const TIMEOUT_MS = 5_000;

/**
 * Google's keys, kept as long as their answer says, and asked for at most once a minute. Rejects when they cannot be had:
 * then no token passes, and whoever pushes tries again.
 */
export function createGoogleKeys(
  clock: Pick<Clock, 'now'>,
  ask: (url: string, init: { signal: AbortSignal }) => Promise<Response> = fetch,
): (again: boolean) => Promise<readonly SigningKey[]> {
  let held: { keys: Promise<readonly SigningKey[]>; askedAt: number; until: number } | undefined;
  return (again) => {
    const now = clock.now();
    if (held && now < (again ? held.askedAt + LEAST_MS : held.until)) return held.keys;
    const asked = { keys: load(), askedAt: now, until: now + LEAST_MS };
    held = asked;
    return asked.keys;

    async function load(): Promise<readonly SigningKey[]> {
      try {
        const response = await ask(URL_OF_KEYS, { signal: AbortSignal.timeout(TIMEOUT_MS) });
        if (!response.ok) throw new Error(`Google's keys cannot be had: ${response.status}`);
        const seconds = Number(/max-age=(\d+)/.exec(response.headers.get('cache-control') ?? '')?.[1] ?? 0);
        const { keys } = (await response.json()) as { keys: SigningKey[] };
        asked.until = now + Math.max(LEAST_MS, seconds * 1000);
        return keys;
      } catch (error) {
        if (held === asked) held = undefined;
        throw error;
      }
    }
  };
}
