import { packumentPath } from '@_all_docs/packument/keys';

/**
 * The file name under which a version's tarball is served: the last part of its URL where that is one, else made of name
 * and version. Old tarballs deviate from the rule (`handlebars-1.0.2beta.tgz`), and some registries name no file at all.
 */
export function tarballFile(name: string, version: string, url: string): string {
  const [path = ''] = url.split(/[?#]/, 1);
  const file = decoded(path.slice(path.lastIndexOf('/') + 1));
  if (file !== undefined && isTarballFile(file)) return file;
  return `${name.slice(name.indexOf('/') + 1)}-${version}.tgz`;
}

/** Whether a decoded path segment can be the file name of a tarball. */
export function isTarballFile(file: string): boolean {
  return file.length > '.tgz'.length && file.endsWith('.tgz') && !/[/\\\p{Cc}]/u.test(file);
}

/** The version whose tarball has this file name by npm's rule; `undefined` where it does not follow that. */
export function versionOfFile(name: string, file: string): string | undefined {
  const start = `${name.slice(name.indexOf('/') + 1)}-`;
  return file.startsWith(start) ? file.slice(start.length, -'.tgz'.length) : undefined;
}

/** Our own URL of a tarball, below `base`, in the shape that npm gives to its own. */
export function tarballUrl(base: string, name: string, file: string): string {
  return `${base}${namePath(name)}/-/${encodeURIComponent(file)}`;
}

/** npm leaves the slash of a scope as it is in tarball URLs; a last part of nothing but dots would not survive that. */
function namePath(name: string): string {
  const path = packumentPath(name).slice(1);
  return /%2f\.{1,2}$/.test(path) ? path : path.replace('%2f', '/');
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
