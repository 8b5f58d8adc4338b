import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const made: string[] = [];

/** A new, empty directory, removed when the file's tests are done. */
export async function temporaryDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'all-docs-test-'));
  made.push(path);
  return path;
}

afterAll(async () => {
  for (const path of made.splice(0)) await rm(path, { recursive: true, force: true });
});
