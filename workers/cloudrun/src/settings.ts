import { CacheError } from '@_all_docs/cache';

/** What the service is told by its environment variables. */
export interface Settings {
  port: number;
  /** `bucket` or `bucket/prefix`. */
  bucket: string;
  registry: string | undefined;
  origin: string | undefined;
  publicUrl: string | undefined;
  /** Who may push work, and for which audience; nobody unless both are told. */
  work: { email: string; audience: string } | undefined;
  /** For the names of traces. */
  project: string | undefined;
  contact: string | undefined;
  maxBytes: number | undefined;
  ttlMs: number | undefined;
}

/** `ERR_NO_STORAGE` when no bucket is named, `ERR_BAD_OPTION` for a number that is none. */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const bucket = env['ALL_DOCS_BUCKET'];
  if (!bucket) {
    throw new CacheError(
      'ERR_NO_STORAGE',
      'no bucket: create one in Google Cloud Storage and name it with ALL_DOCS_BUCKET',
    );
  }
  const [email, audience] = [env['WORK_SERVICE_ACCOUNT'], env['WORK_AUDIENCE']];
  const days = number(env, 'ALL_DOCS_TTL_DAYS');
  return {
    port: number(env, 'PORT') ?? 8080,
    bucket,
    registry: env['ALL_DOCS_REGISTRY'] || undefined,
    origin: env['ALL_DOCS_ORIGIN'] || undefined,
    publicUrl: env['ALL_DOCS_PUBLIC_URL'] || undefined,
    work: email && audience ? { email, audience } : undefined,
    project: env['GOOGLE_CLOUD_PROJECT'] || undefined,
    contact: env['ALL_DOCS_CONTACT'] || undefined,
    maxBytes: number(env, 'ALL_DOCS_MAX_BYTES'),
    ttlMs: days === undefined ? undefined : days * 24 * 3600_000,
  };
}

function number(env: Readonly<Record<string, string | undefined>>, name: string): number | undefined {
  const text = env[name];
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw Object.assign(new Error(`${name} must be a whole number, not ${JSON.stringify(text)}`), {
    code: 'ERR_BAD_OPTION',
  });
}
