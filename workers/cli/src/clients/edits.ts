import { isDeepStrictEqual } from 'node:util';
import { CliError } from '../exit.js';
import { type Edit, insertBlock, splitLines } from './marked-block.js';

/** How a kind of file is made to name a registry. `ERR_CLIENT_CONFIG` for a file in which that cannot be done safely. */
export type Editor = (text: string, url: string) => Edit | Promise<Edit>;

/** npm's `.npmrc`, which pnpm reads, too. */
export function editNpmrc(text: string, url: string): Edit {
  const lines = splitLines(text);
  // What stands below a [section] is not npm's registry.
  const section = lines.findIndex((line) => /^\s*\[[^\]]*\]\s*$/.test(line));
  const own = section < 0 ? lines : lines.slice(0, section);
  return { at: top(lines), lines: [`registry=${url}`], aside: linesLike(own, /^\s*(["']?)registry\1\s*=/) };
}

/** The `.yarnrc` of yarn 1. */
export function editYarnrc(text: string, url: string): Edit {
  const lines = splitLines(text);
  return { at: top(lines), lines: [`registry "${url}"`], aside: linesLike(lines, /^(["']?)registry\1[\s:]/) };
}

/** The `.yarnrc.yml` of yarn from 2 on. It asks nobody over plain http whom it was not told to trust. */
export async function editYarnrcYml(text: string, url: string): Promise<Edit> {
  const { isMap, isNode, isScalar, parse, parseDocument } = await import('yaml');
  const document = parseDocument(text);
  const { contents } = document;
  const unclear = doubt('.yarnrc.yml', `npmRegistryServer: "${url}"`);
  if (document.errors.length > 0 || (contents !== null && !(isMap(contents) && !contents.flow))) throw unclear;
  const { protocol, hostname } = new URL(url);
  const settings: Record<string, unknown> = document.toJSON() ?? {};
  const wanted: Record<string, unknown> = { npmRegistryServer: url };
  const allowed = [settings['unsafeHttpWhitelist'] ?? []].flat().map(String);
  if (protocol === 'http:' && !allowed.includes('*')) {
    wanted['unsafeHttpWhitelist'] = [...new Set([...allowed, hostname])];
  }
  const lines = splitLines(text);
  const aside = (isMap(contents) ? contents.items : []).flatMap(({ key, value }) => {
    if (!isScalar(key) || !(String(key.value) in wanted)) return [];
    const from = key.range?.[0] ?? 0;
    const to = (isNode(value) ? value.range?.[1] : undefined) ?? from;
    return linesOf(lines, from, Math.max(from, to - 1));
  });
  const edit: Edit = {
    // Directives and comments may stand before the document.
    at: Math.max(top(lines), lines.findIndex((line) => /^---\s/.test(line)) + 1),
    lines: Object.entries(wanted).map(([key, value]) => `${key}: ${JSON.stringify(value)}`),
    aside,
  };
  if (!becomes(() => parse(insertBlock(text, edit)), { ...settings, ...wanted })) throw unclear;
  return edit;
}

/** Bun's `bunfig.toml`. */
export async function editBunfig(text: string, url: string): Promise<Edit> {
  const { parse } = await import('smol-toml');
  const unclear = doubt('bunfig.toml', `registry = "${url}" (in [install])`);
  let settings: { install?: object };
  try {
    settings = parse(text);
  } catch {
    throw unclear;
  }
  const lines = splitLines(text);
  const setting = `registry = ${JSON.stringify(url)}`;
  const header = lines.findIndex((line) => /^\s*\[\s*install\s*\]\s*(#.*)?\s*$/.test(line));
  const next = lines.findIndex((line, index) => index > header && /^\s*\[/.test(line));
  const own = header < 0 ? [] : lines.slice(0, next < 0 ? lines.length : next);
  const edit: Edit =
    header < 0
      ? { at: lines.length, lines: ['[install]', setting], aside: [] }
      : {
          at: header + 1,
          lines: [setting],
          aside: linesLike(own, /^\s*(["']?)registry\1\s*=/).filter((index) => index > header),
        };
  const after = { ...settings, install: { ...settings.install, registry: url } };
  if (!becomes(() => parse(insertBlock(text, edit)), after)) throw unclear;
  return edit;
}

/** Whether a parser of the format finds in the changed text what should be there, and nothing else changed. */
function becomes(parse: () => unknown, wanted: object): boolean {
  try {
    // Parsers make objects without a prototype.
    return isDeepStrictEqual(structuredClone(parse()), structuredClone(wanted));
  } catch {
    return false;
  }
}

function linesLike(lines: readonly string[], pattern: RegExp): number[] {
  return lines.flatMap((line, index) => (pattern.test(line) ? [index] : []));
}

/** The lines between two places in the text, both included. */
function linesOf(lines: readonly string[], from: number, to: number): number[] {
  let start = 0;
  return lines.flatMap((line, index) => {
    const begin = start;
    start += line.length;
    return start > from && begin <= to ? [index] : [];
  });
}

function top(lines: readonly string[]): number {
  return lines[0] === '\uFEFF' ? 1 : 0;
}

function doubt(file: string, setting: string): CliError {
  const message = `${file} is written in a way that cannot be changed safely; put this into it by hand: ${setting}`;
  return new CliError('ERR_CLIENT_CONFIG', message);
}
