import { readFileSync } from 'node:fs';
import PQueue from 'p-queue';

/** What every peer is called with: `node PEER URL CACHE NAMES_FILE CONCURRENCY`. */
const [url = '', cache = '', namesFile = '', concurrency = '10'] = process.argv.slice(2);

export { cache, url };

/** Fetches every name with the peer's own means, so many at once. */
export async function forEachName(work: (name: string, concurrency: number) => Promise<unknown>): Promise<void> {
  const many = Number(concurrency);
  const queue = new PQueue({ concurrency: many });
  for (const name of readFileSync(namesFile, 'utf8').trimEnd().split('\n')) {
    await queue.onSizeLessThan(many);
    void queue.add(() => work(name, many));
  }
  await queue.onIdle();
}

/** The path that registries answer for a name. */
export function pathOf(name: string): string {
  return `/${encodeURIComponent(name).replace(/^%40/, '@')}`;
}
