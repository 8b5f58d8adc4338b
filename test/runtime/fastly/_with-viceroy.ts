import { it } from 'vitest';
import { viceroyPath } from '../../servers/viceroy.ts';

/** Registers tests that need the local engine, or one that is skipped and says why. */
export async function withViceroy(register: () => unknown): Promise<void> {
  if (viceroyPath() === undefined) it.skip('needs Viceroy, which is not built: node test/servers/viceroy.ts', () => {});
  else await register();
}
