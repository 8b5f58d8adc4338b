import { join } from 'node:path';

/** Where a replica lies unless told: `ALL_DOCS_CACHE`, else the platform's folder for caches. */
export function defaultCacheDirectory(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
  home: string = env['HOME'] ?? env['USERPROFILE'] ?? '.',
): string {
  if (env['ALL_DOCS_CACHE']) return env['ALL_DOCS_CACHE'];
  if (platform === 'darwin') return join(home, 'Library', 'Caches', '_all_docs');
  if (platform === 'win32') return join(env['LOCALAPPDATA'] ?? join(home, 'AppData', 'Local'), '_all_docs', 'Cache');
  return join(env['XDG_CACHE_HOME'] || join(home, '.cache'), '_all_docs');
}
