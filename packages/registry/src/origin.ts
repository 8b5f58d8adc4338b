import { type Clock, classify, parseRetryAfter, type Transport } from '@_all_docs/http';
import { RegistryError } from './errors.js';

/**
 * The way to the origin as the registry goes it: counted, closed when offline (`ERR_OFFLINE`), and with "not now" told
 * apart from other trouble (`ERR_THROTTLED`), so that clients hear when to come back.
 */
export function watchOrigin(
  transport: Transport,
  { clock, counters, offline }: { clock: Pick<Clock, 'now'>; counters: { originRequests: number }; offline: boolean },
): Transport {
  return async (request) => {
    if (offline) throw new RegistryError('ERR_OFFLINE', 'the replica is offline and does not hold this');
    counters.originRequests += 1;
    const response = await transport(request);
    if (classify(response) !== 'throttled') return response;
    const pause = parseRetryAfter(response.headers['retry-after'], clock.now());
    throw new RegistryError('ERR_THROTTLED', `the origin answered ${response.status}: it asks for a pause`, {
      retryAfter: pause === undefined ? undefined : Math.ceil(pause / 1000),
    });
  };
}
