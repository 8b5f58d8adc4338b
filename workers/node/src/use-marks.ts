import { readFileSync } from 'node:fs';

/** What `_all_docs use` writes around its lines in a package manager's configuration, and before lines of the user's that it puts aside. */
export const USE_MARKS = {
  begin: '# >>> set by _all_docs use; put back what was here with: _all_docs unuse',
  end: '# <<< set by _all_docs use',
  aside: '# _all_docs keeps: ',
} as const;

/** The layers of npm's configuration that can name a registry, the strongest first. */
const LAYERS = ['env', 'project', 'user', 'global', 'builtin', 'default'] as const;
type Layer = (typeof LAYERS)[number];

/** The part of npm's configuration library that is asked. */
export interface LayeredConfig {
  get(name: 'registry', where?: Layer): string | undefined;
  data: Map<string, { source?: string | null }>;
}

/**
 * The registry that npm would use, had `_all_docs use` not pointed it at a server of ours: a replica must not become its
 * own origin. A URL in the environment may come from there, too: npm hands its settings to what it runs.
 */
export function registryBeforeUse(config: LayeredConfig): string {
  const marked = new Map<Layer, { ours: string | undefined; kept: string | undefined }>();
  for (const where of ['project', 'user'] as const) marked.set(where, readMarked(config.data.get(where)?.source));
  const ours = new Set(Array.from(marked.values(), (file) => file.ours));
  for (const where of LAYERS) {
    const value = config.get('registry', where);
    if (value && !ours.has(trimmed(value))) return value;
    const kept = marked.get(where)?.kept;
    if (kept) return kept;
  }
  return config.get('registry') as string;
}

function readMarked(path: string | null | undefined): { ours: string | undefined; kept: string | undefined } {
  let text = '';
  try {
    if (path) text = readFileSync(path, 'utf8');
  } catch {
    // npm's library has told of what it could not read.
  }
  const [, block = ''] = text.split(USE_MARKS.begin);
  const ours = /^registry=(.*)$/m.exec(block.split(USE_MARKS.end)[0] as string)?.[1];
  const lines = text.split(/\r?\n/).filter((line) => line.startsWith(USE_MARKS.aside));
  const kept = lines.flatMap((line) => /registry["']?\s*=\s*["']?([^"'\s]+)/.exec(line)?.[1] ?? []).at(-1);
  return { ours: ours && trimmed(ours), kept };
}

function trimmed(url: string): string {
  return url.trim().replace(/\/+$/, '');
}
