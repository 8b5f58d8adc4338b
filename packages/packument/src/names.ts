import { PackumentError } from './errors.js';

/**
 * The package name in a request path or a name as people write it: `express`, `/express`, `@scope/name`,
 * `/@scope/name`, `/@scope%2fname`. Names of the registry are taken as they are (`-`, `constructor`, `@x/..` are
 * packages); only what cannot be a name or could not be asked for is `ERR_BAD_NAME`.
 */
export function parsePackageName(path: string): string {
  if (typeof path !== 'string') throw new PackumentError('ERR_BAD_NAME', `not a package name: ${JSON.stringify(path)}`);
  const text = path.startsWith('/') ? path.slice(1) : path;
  let name: string;
  try {
    // Only a path may be encoded: a percent sign is no part of any name.
    name = text.includes('%') ? decodeURIComponent(text) : text;
  } catch (cause) {
    throw new PackumentError('ERR_BAD_NAME', `not a package name: ${JSON.stringify(path)}`, { cause });
  }
  const slashes = name.split('/').length - 1;
  const scoped = name.startsWith('@');
  const wellFormed = scoped ? /^@[^/]+\/[^/]+$/.test(name) : slashes === 0;
  if (
    name === '' ||
    name === '.' ||
    name === '..' ||
    !wellFormed ||
    !name.isWellFormed() ||
    /[\p{Cc}\\%]/u.test(name)
  ) {
    throw new PackumentError('ERR_BAD_NAME', `not a package name: ${JSON.stringify(path)}; use name or @scope/name`);
  }
  return name;
}

/** The path that a registry answers for a name, with the slash of a scope encoded as npm does it. */
export function packumentPath(name: string): string {
  return `/${encodeURIComponent(name).replace(/^%40/, '@').replace(/%2F/, '%2f')}`;
}
