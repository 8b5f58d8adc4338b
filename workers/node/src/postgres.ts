/** @module PostgreSQL on Node.js, by URL. An entry of its own: nobody else loads the client. */
import { CacheError } from '@_all_docs/cache';
import type { Clock } from '@_all_docs/http';
import { PostgresStorageDriver, PostgresSyncDatabase } from '@_all_docs/postgres';
import postgres from 'postgres';
import { knowsDigest } from './body-digest.js';
import { systemClock } from './clock.js';
import { zlibCodec } from './zlib-codec.js';

export {
  PostgresDatabase,
  PostgresOrderedStore,
  PostgresStorageDriver,
  PostgresSyncDatabase,
} from '@_all_docs/postgres';

export interface OpenPostgresOptions {
  /** The schema that holds the tables, made where there is none; `all_docs` unless told. */
  schema?: string | undefined;
  /** Connections at once; 10 unless told. */
  connections?: number | undefined;
  clock?: Clock | undefined;
}

/** A driver on the database at `postgres://user:password@host:port/name`; `close` it to let go of its connections. Opens nothing before its first use. */
export function openPostgres(url: string, options: OpenPostgresOptions = {}): PostgresStorageDriver {
  const client = connect(url, options);
  return new PostgresStorageDriver(client, {
    schema: options.schema,
    clock: options.clock ?? systemClock,
    matchesDigest: (body, digest) => digest === '' || knowsDigest(body, digest),
    codec: zlibCodec,
    end: () => client.end({ timeout: CLOSE_SECONDS }),
  });
}

/** Records of `syncRecord` and its like in the database at that URL. */
export function openPostgresSync(
  url: string,
  options: OpenPostgresOptions = {},
): PostgresSyncDatabase & { close(): Promise<void> } {
  const client = connect(url, options);
  const database = new PostgresSyncDatabase(client, { schema: options.schema, clock: options.clock ?? systemClock });
  return Object.assign(database, { close: () => client.end({ timeout: CLOSE_SECONDS }) });
}

const CLOSE_SECONDS = 5;
const LONGEST_BACKOFF_SECONDS = 1;

function connect(url: string, { connections = 10 }: OpenPostgresOptions): postgres.Sql {
  if (!/^postgres(ql)?:\/\//.test(url)) {
    // The URL is not repeated: it may hold a password.
    throw new CacheError(
      'ERR_NO_STORAGE',
      'not the URL of a database; it must begin with postgres:// or postgresql://',
    );
  }
  return postgres(url, {
    max: connections,
    connect_timeout: 10,
    // A server that is back is not left waiting for the library's twenty seconds.
    backoff: (tries) => Math.min(0.05 * 2 ** tries, LONGEST_BACKOFF_SECONDS),
    // What the tables need is known; the list of all types is not asked for at each connection.
    fetch_types: false,
    onnotice: () => {},
    connection: { application_name: '_all_docs' },
  });
}
