/** @module Whether the service in this container is alive: exits 0 when it is. */
const url = `http://127.0.0.1:${process.env['PORT'] || 8080}/livez`;

try {
  const { ok } = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  process.exitCode = ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
