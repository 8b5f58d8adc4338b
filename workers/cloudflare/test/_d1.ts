import { applyD1Migrations, type D1Migration } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { spares } from './_spare.ts';

const next = spares<D1Database>('D1');

/** An empty database with the tables that `migrations/` makes. */
export async function freshDatabase(): Promise<D1Database> {
  const db = next();
  await applyD1Migrations(db, (env as unknown as { MIGRATIONS: D1Migration[] }).MIGRATIONS);
  return db;
}
