/**
 * Where an entry comes from: a registry; inside of another package's tarball; a tarball from any other server; a
 * repository; a file or folder; a link, a workspace among them.
 */
export type Source = 'registry' | 'bundled' | 'tarball' | 'git' | 'file' | 'link';

/** One entry of a lockfile, whoever wrote it. Values are as they stand there. */
export interface LockEntry {
  source: Source;
  /** Of what was found: for an alias the package's real name. */
  name: string;
  version?: string | undefined;
  /** Subresource-integrity string. */
  integrity?: string | undefined;
  /** Where the lockfile says that it lies. */
  resolved?: string | undefined;
}

/** Names of the protocols that lead to files and links, not to a repository. */
const LOCAL: [RegExp, Source][] = [
  [/^(link|portal|workspace):/, 'link'],
  [/^(file|exec|root):|^\.{0,2}\//, 'file'],
  [/^https?:(?!.*\.git(#|$))/, 'tarball'],
];

/** What a locator or a URL that is none of a registry leads to. */
export function sourceOf(locator: string): Source {
  return LOCAL.find(([pattern]) => pattern.test(locator))?.[1] ?? 'git';
}
