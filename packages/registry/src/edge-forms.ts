import { PackumentError } from '@_all_docs/packument';
import { abbreviateVersion, withOwnTarball } from './abbreviated-version.js';
import { isObject } from './projection.js';
import type { Part } from './rendition.js';
import type { Summary } from './summary.js';
import { isTarballFile, tarballFile, versionOfFile } from './tarball-url.js';
import type { Dist } from './types.js';

/** A document, parsed. Its keys are the publisher's: only its own ones are looked at. */
export type Document = Record<string, unknown>;

/** `ERR_BAD_PACKUMENT` for a text that is not the document of `name`. */
export function parseDocument(name: string, text: Uint8Array): Document {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder().decode(text));
  } catch {
    // Said below.
  }
  if (isObject(document) && (document['name'] ?? document['_id']) === name) return document;
  throw new PackumentError('ERR_BAD_PACKUMENT', `what the origin sent is not the document of ${name}`);
}

/** What is sent of a document, as JSON; `undefined` for a version, or tag, that is not there. `base` as in `DeriveOptions`, empty for none. */
export function makeForm(name: string, document: Document, part: Part, base: string): string | undefined {
  const versions = objectIn(document, 'versions');
  const tags = objectIn(document, 'dist-tags');
  const own = (key: string, version: Document) => (base === '' ? version : withOwnTarball(name, key, version, base));
  switch (part) {
    case 'dist-tags':
      return JSON.stringify(tags);
    case 'full':
      return JSON.stringify({ ...document, versions: eachOf(versions, own) });
    case 'abbreviated': {
      const short = (key: string, version: Document) => abbreviateVersion(name, key, version, base || undefined);
      const modified = objectIn(document, 'time')['modified'] ?? document['modified'];
      return JSON.stringify({ name, 'dist-tags': document['dist-tags'], versions: eachOf(versions, short), modified });
    }
    default: {
      const wanted = part.slice('version '.length);
      const version = Object.hasOwn(tags, wanted) ? String(tags[wanted]) : wanted;
      const manifest = Object.hasOwn(versions, version) ? versions[version] : undefined;
      return isObject(manifest) ? JSON.stringify(own(version, manifest)) : undefined;
    }
  }
}

/** What a document says of the tarball with that file name. Should two versions claim it, the one that it is named after has it. */
export function distIn(name: string, document: Document, file: string): Dist | undefined {
  const named = versionOfFile(name, file);
  let found: Dist | undefined;
  for (const [version, manifest] of Object.entries(objectIn(document, 'versions'))) {
    if (found && version !== named) continue;
    const dist = distOf(manifest, version);
    if (dist && isTarballFile(file) && tarballFile(name, version, dist.tarball) === file) found = dist;
  }
  return found;
}

/** What a version's manifest says of its tarball. */
export function distOf(manifest: unknown, version: string): Dist | undefined {
  const { tarball, integrity, shasum } = isObject(manifest) ? objectIn(manifest, 'dist') : {};
  if (typeof tarball !== 'string') return undefined;
  return { version, tarball, integrity: textOr(integrity), shasum: textOr(shasum) };
}

/** What a line of a list says of a document. */
export function describeDocument(document: Document): Pick<Summary, 'tags' | 'description' | 'modified'> {
  const tags = Object.entries(objectIn(document, 'dist-tags')).map(([tag, version]) => [tag, String(version)] as const);
  const modified = textOr(objectIn(document, 'time')['modified']);
  return { tags: new Map(tags), description: textOr(document['description']), modified };
}

/** An object that has the publisher's keys as its own, whatever they are called. */
function eachOf(versions: Document, make: (key: string, version: Document) => Document): Document {
  const made = Object.entries(versions).flatMap(([key, version]) =>
    isObject(version) ? [[key, make(key, version)]] : [],
  );
  return Object.fromEntries(made) as Document;
}

/** A member that is an object; an empty one where it is none. */
function objectIn(document: Document, key: string): Document {
  const value = document[key];
  return isObject(value) ? value : {};
}

function textOr(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
