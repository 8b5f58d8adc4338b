import type { EdgeOptions } from '@_all_docs/registry/edge';
import type { ConfigStoreReader } from './config-reader.js';
import { FastlyError } from './errors.js';

/** What the Config Store says. */
export interface FastlySettings {
  /** The registry: documents and tarballs. */
  registry: string;
  /** The replication host; nothing is listed without it. */
  origin: string | undefined;
  /** Hosts without a backend of the service may be asked, too. */
  dynamicBackends: boolean;
  options: EdgeOptions;
}

const URL_TEXT = /^https?:\/\/[^/\s?#]+(\/[^\s?#]*)?$/;

/** `ERR_BAD_SETTING`, with the item's name, for what is missing or cannot be. */
export function readSettings(config: ConfigStoreReader): FastlySettings {
  const registry = url(config, 'registry');
  if (registry === undefined) throw bad('registry', 'is missing: the URL of the registry', '<URL>');
  const hosts = config.text('allowed_hosts');
  return {
    registry,
    origin: url(config, 'origin'),
    dynamicBackends: oneOf(config, 'dynamic_backends', ['on', 'off'] as const) === 'on',
    options: {
      publicUrl: url(config, 'public_url'),
      maxAgeMs: seconds(config, 'max_age_seconds'),
      keepMs: seconds(config, 'keep_seconds'),
      tarballHost: oneOf(config, 'tarball_host', ['auto', 'self', 'origin'] as const),
      allowedHosts: hosts?.split(/[\s,]+/).filter((host) => host !== ''),
    },
  };
}

function url(config: ConfigStoreReader, item: string): string | undefined {
  let text = config.text(item)?.trim();
  if (!text) return undefined;
  while (text.endsWith('/')) text = text.slice(0, -1);
  if (isUrl(text)) return text;
  throw bad(item, `is no URL: ${JSON.stringify(text)}`, '<URL>');
}

function isUrl(text: string): boolean {
  return isPlainUrl(text) || URL_TEXT.test(text);
}

/** What nearly every one is: each request reads it, and its first regular expression would be a twentieth of it. */
function isPlainUrl(text: string): boolean {
  const rest = text.startsWith('https://') ? text.slice(8) : text.startsWith('http://') ? text.slice(7) : '';
  if (rest === '' || rest.startsWith('/') || rest.includes('?') || rest.includes('#')) return false;
  return rest.isWellFormed() && encodeURI(rest) === rest;
}

function seconds(config: ConfigStoreReader, item: string): number | undefined {
  const text = config.text(item)?.trim();
  if (!text) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  throw bad(item, `is no number of seconds: ${JSON.stringify(text)}`, '300');
}

function oneOf<Word extends string>(config: ConfigStoreReader, item: string, words: readonly Word[]): Word | undefined {
  const text = config.text(item)?.trim();
  if (!text) return undefined;
  const word = words.find((each) => each === text);
  if (word !== undefined) return word;
  throw bad(item, `is ${JSON.stringify(text)}, not one of ${words.join(', ')}`, words[0] as string);
}

function bad(item: string, what: string, example: string): FastlyError {
  return new FastlyError(
    'ERR_BAD_SETTING',
    `the Config Store's item ${item} ${what}; set it: fastly config-store-entry update --upsert --store-id <ID> --key ${item} --value ${example}`,
  );
}
