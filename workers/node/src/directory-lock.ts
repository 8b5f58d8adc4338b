import type { Clock } from '@_all_docs/http';
import { DatabaseSync } from 'node:sqlite';

/**
 * Who works in a directory, told by the operating system: every process holds a shared lock on one small file, which
 * ends with the process however it ends. Whoever gets the exclusive lock for a moment knows that all others are gone.
 */
export class DirectoryLock {
  readonly #database: DatabaseSync;

  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: 0 });
  }

  /** Takes the shared lock. If nobody else holds one, `clean` runs first, with the directory to itself. */
  async join(clean: () => void | Promise<void>, clock: Pick<Clock, 'sleep'>): Promise<void> {
    if (this.#tryExclusive()) {
      try {
        await clean();
      } finally {
        this.#database.exec('COMMIT');
      }
    }
    for (let tries = 0; ; tries++) {
      try {
        this.#database.exec('BEGIN; SELECT count(*) FROM sqlite_master;');
        return;
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        // Somebody else is cleaning up: that is over in a moment.
        if (tries === 200 || !isBusy(error)) throw error;
        await clock.sleep(25);
      }
    }
  }

  close(): void {
    this.#database.close();
  }

  #tryExclusive(): boolean {
    try {
      this.#database.exec('BEGIN EXCLUSIVE');
      return true;
    } catch (error) {
      if (isBusy(error)) return false;
      throw error;
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && /locked|busy/i.test(error.message);
}
