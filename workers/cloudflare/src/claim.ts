/**
 * Whether nobody else in this data centre has claimed something within the last milliseconds; claims it. Two who ask at
 * the same moment may both be told so. Where the Cache API does nothing (on workers.dev), everybody is.
 */
export async function claim(what: string, ms: number): Promise<boolean> {
  const url = `https://claims.invalid/${encodeURIComponent(what)}`;
  try {
    if (await caches.default.match(url)) return false;
    const headers = { 'cache-control': `max-age=${Math.ceil(ms / 1_000)}` };
    await caches.default.put(url, new Response('claimed', { headers }));
  } catch {
    // It only saves work.
  }
  return true;
}
