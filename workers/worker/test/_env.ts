import { MemoryStorageDriver } from '@_all_docs/cache';
import type { Clock, TransportRequest, TransportResponse } from '@_all_docs/http';
import type { Env, WorkItem } from '@_all_docs/worker';

/** Time that stands still until it is moved. */
export class VirtualClock implements Clock {
  time = Date.UTC(2025, 0, 15);
  readonly #sleepers: { at: number; wake: () => void }[] = [];

  now(): number {
    return this.time;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#sleepers.push({ at: this.time + ms, wake: resolve });
      signal?.addEventListener('abort', () => reject(signal.reason));
    });
  }

  async advance(ms: number): Promise<void> {
    this.time += ms;
    for (const sleeper of this.#sleepers.filter(({ at }) => at <= this.time)) {
      this.#sleepers.splice(this.#sleepers.indexOf(sleeper), 1);
      sleeper.wake();
    }
    await settle();
  }
}

export async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

export function json(value: unknown, status = 200): TransportResponse {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: new TextEncoder().encode(text),
    encoding: 'identity',
  };
}

/** An environment in memory whose origin and registry answer as told. */
export function envOf(
  transport: (request: TransportRequest) => TransportResponse | Promise<TransportResponse>,
): Env & { storage: MemoryStorageDriver; clock: VirtualClock } {
  return {
    origin: 'https://replicate.example',
    registry: 'https://registry.example',
    storage: new MemoryStorageDriver(),
    transport: async (request) => transport(request),
    clock: new VirtualClock(),
    random: () => 0.5,
  };
}

export function item<Payload>(type: string, payload: Payload, more: Partial<WorkItem> = {}): WorkItem<Payload> {
  return { type, id: `${type}-1`, payload, priority: 1, attempts: 0, ...more } as WorkItem<Payload>;
}
