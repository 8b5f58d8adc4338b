/**
 * Servers that tests start and no package registry of this project's has: built from their sources once, by Go's own
 * installer, and kept outside of the checkout. `node test/servers/tools.ts` builds what is missing, as CI does.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The version is part of the directory's name: another one is built anew. */
const TOOLS = {
  versitygw: { version: '1.8.0', module: 'github.com/versity/versitygw/cmd/versitygw' },
  'fake-gcs-server': { version: '1.56.1', module: 'github.com/fsouza/fake-gcs-server' },
} as const;
export type Tool = keyof typeof TOOLS;

/** Where the program lies, whether or not it is there. */
export function pathOf(tool: Tool): string {
  return join(directoryOf(tool), tool);
}

/** Why the program cannot be started here; `undefined` when it can. */
export function whyMissing(tool: Tool): string | undefined {
  try {
    accessSync(pathOf(tool), constants.X_OK);
    return undefined;
  } catch {
    return `${tool} ${TOOLS[tool].version} is not built; run node test/servers/tools.ts (needs Go)`;
  }
}

function directoryOf(tool: Tool): string {
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return join(cache, 'all_docs', `${tool}-${TOOLS[tool].version}`);
}

function build(tool: Tool): void {
  const { module, version } = TOOLS[tool];
  const place = directoryOf(tool);
  const temporary = `${place}.${process.pid}`;
  mkdirSync(temporary, { recursive: true });
  const { status, error } = spawnSync(
    'nice',
    ['-n', '15', 'go', 'install', '-ldflags', '-s -w', `${module}@v${version}`],
    {
      env: { ...process.env, GOBIN: temporary, GOFLAGS: '-p=1', CGO_ENABLED: '0' },
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  if (status === 0) {
    if (existsSync(place)) rmSync(place, { recursive: true });
    renameSync(temporary, place);
  } else {
    rmSync(temporary, { recursive: true, force: true });
    throw new Error(`${tool} could not be built: ${error?.message ?? `go install ended with ${status}`}`);
  }
}

if (import.meta.main) {
  for (const tool of Object.keys(TOOLS) as Tool[]) {
    if (whyMissing(tool) === undefined) continue;
    console.error(`Building ${tool} ${TOOLS[tool].version} …`);
    build(tool);
  }
}
