import { Governor, type GovernorOptions, type TransportResponse } from '@_all_docs/http';
import { randomFrom } from '../../../test/contract/_bytes.ts';
import { Load } from './_answers.ts';
import { VirtualClock } from './_virtual-clock.ts';

/** An origin that answers after a while whatever `next` says at the time of asking. */
export function governed(next: () => TransportResponse, options: Partial<GovernorOptions> = {}, latencyMs = 50) {
  const clock = new VirtualClock();
  const governor = new Governor({ clock, random: randomFrom(7), rate: 100, concurrency: 16, ...options });
  const load = new Load(
    (transport) => governor.wrap(transport),
    async () => {
      const response = next();
      await clock.sleep(latencyMs);
      return response;
    },
    () => clock.now(),
  );
  return { clock, governor, load };
}
