import { CliError } from '../../exit.js';

/** `ERR_BAD_LOCKFILE`: what is wrong with the file, and what may be given instead. */
export function bad(file: string, why: string, cause?: unknown): CliError {
  return new CliError(
    'ERR_BAD_LOCKFILE',
    `cannot read ${file} as a lockfile: ${why}; give a package-lock.json, npm-shrinkwrap.json, pnpm-lock.yaml, yarn.lock or bun.lock`,
    undefined,
    { cause },
  );
}

/** The entries of one of the file's tables; `ERR_BAD_LOCKFILE` where one is no object. */
export function entriesOf<T extends object>(table: Record<string, T>, file: string): [string, T][] {
  const entries = Object.entries(table);
  const broken = entries.find(([, entry]) => typeof entry !== 'object' || entry === null);
  if (broken) throw bad(file, `its entry ${JSON.stringify(broken[0])} is empty`);
  return entries;
}

/** A name and what follows its `@`: `a@1.0.0`, `@s/a@npm:b@^1.0.0`. `undefined` for what does not begin with a name. */
export function splitSpec(spec: string): { name: string; range: string } | undefined {
  const match = /^(@[^/@]+\/[^/@]+|[^/@]+)(?:@(.*))?$/s.exec(spec);
  return match ? { name: match[1] as string, range: match[2] ?? '' } : undefined;
}

/** A JSON string as a regular expression; it takes the rest of a text where it has no end, so that no text makes it slow. */
export const QUOTED = '"[^"\\\\]*(?:\\\\[^][^"\\\\]*)*(?:"|\\\\?$)';

/**
 * Whether a tarball is a registry's (its path has `/-/`, or `/download/` on one host): those of git hosts, files and
 * other servers name no package of a registry. Some lockfiles leave it out when told to.
 */
export function fromRegistry(tarball: string | undefined): boolean {
  return tarball === undefined || /^https?:\/\/.+\/(-|download)\//.test(tarball);
}
