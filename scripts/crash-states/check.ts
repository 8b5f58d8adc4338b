import { Cache, type StoredEntry } from '@_all_docs/cache';
import { PartitionCheckpoint } from '@_all_docs/checkpoint';
import { NodeStorageDriver, SqliteStorageDriver, type StoreKind } from '@_all_docs/worker-node';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Disk } from './disk.ts';
import { countBefore, judge, type Times } from './knowledge.ts';
import { ABSENT, bytesOf, CHECKPOINT_SET, entryValue, type Plan, rowValue, type Step, type Target } from './plan.ts';

type Driver = NodeStorageDriver | SqliteStorageDriver;

/** What a store may lose at a level; everything else is a finding. */
export interface Allowance {
  /** Acknowledged steps from the end, all together: SQLite without syncs after a power cut. */
  end: boolean;
  /** Bodies whose rows are there: cacache never syncs. Each must be a miss or `ERR_CORRUPT`, then a miss; and be counted. */
  bodies: boolean;
}

export interface Moment {
  plan: Plan;
  times: Times;
  position: number;
}

export interface Verdict {
  problems: string[];
  /** Rows without a whole body, each answered as a miss. */
  missing: number;
  /** Of these, bodies that were there and damaged: the first read said `ERR_CORRUPT`. */
  damaged: number;
  /** Steps that were not there any more, or not yet, carried out once more. */
  repeated: number;
}

/** Opens the directory as a new process would, and compares all that it says with what is known of that moment. */
export async function check(disk: Disk, store: StoreKind, moment: Moment, allowed: Allowance): Promise<Verdict> {
  const driver = store === 'sqlite' ? new SqliteStorageDriver(disk.path) : new NodeStorageDriver(disk.path);
  const checker = new Checker(disk, driver, moment, allowed);
  try {
    await checker.run();
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    checker.verdict.problems.push(`${code ?? 'error'}: ${message}`);
  } finally {
    await driver.close();
  }
  return checker.verdict;
}

/** Steps carried out once more in one state, at most. */
const MOST_REPEATED = 3;

class Checker {
  readonly verdict: Verdict = { problems: [], missing: 0, damaged: 0, repeated: 0 };
  readonly #disk: Disk;
  readonly #driver: Driver;
  readonly #moment: Moment;
  readonly #allowed: Allowance;

  constructor(disk: Disk, driver: Driver, moment: Moment, allowed: Allowance) {
    this.#disk = disk;
    this.#driver = driver;
    this.#moment = moment;
    this.#allowed = allowed;
  }

  async run(): Promise<void> {
    const { plan, times, position } = this.#moment;
    const { file } = await this.#driver.openDirectory();
    this.#noRemains();
    const integrity = file.database.prepare('PRAGMA integrity_check').get()?.['integrity_check'];
    if (integrity !== 'ok') this.#problem(`SQLite says: ${integrity}`);
    await this.#noOwners();
    const listed = await this.#list();
    const seen = new Map<string, number[]>();
    for (const [name, target] of plan.targets) {
      const isAlike = await this.#observe(name, target, listed);
      seen.set(
        name,
        target.values.flatMap((value, place) => (isAlike(value) ? [place] : [])),
      );
    }
    this.verdict.problems.push(...judge(plan, times, position, seen, this.#allowed.end));
    await this.#repeat(seen);
  }

  #problem(text: string): void {
    this.verdict.problems.push(text);
  }

  #noRemains(): void {
    const temporary = join(this.#disk.path, 'tmp');
    const left = existsSync(temporary) ? readdirSync(temporary).length : 0;
    if (left > 0) this.#problem(`${left} temporary files are left`);
  }

  async #noOwners(): Promise<void> {
    for await (const [key] of this.#driver.ordered.list({ start: 'v1:owner:', end: 'v1:owner;' }))
      this.#problem(`${key} is left of a dead process`);
  }

  /** All keys that the driver lists: each once, in order, and only what was ever written. */
  async #list(): Promise<ReadonlySet<string>> {
    const { targets } = this.#moment.plan;
    const keys: string[] = [];
    for await (const key of this.#driver.list()) keys.push(key);
    for (const [i, key] of keys.entries()) {
      if (i > 0 && key <= (keys[i - 1] as string)) this.#problem(`${key} is listed after ${keys[i - 1]}`);
      if (targets.get(key)?.kind !== 'entry') this.#problem(`${key} is listed and was never written`);
    }
    return new Set(keys);
  }

  /** A test for the values that what the driver says could be. */
  async #observe(name: string, target: Target, listed: ReadonlySet<string>): Promise<(value: string) => boolean> {
    switch (target.kind) {
      case 'entry':
        return this.#observeEntry(name, listed.has(name));
      case 'rows': {
        const keys = ['a', 'b', 'c'].map((row) => `v1:crash:${name}:${row}`);
        const values = await Promise.all(keys.map(async (key) => (await this.#driver.ordered.get(key)) ?? null));
        const text = JSON.stringify(values);
        return (value) => value === text;
      }
      case 'checkpoint': {
        const checkpoint = new PartitionCheckpoint(new Cache({ driver: this.#driver }), CHECKPOINT_SET);
        const marks: unknown[] = [];
        for await (const { index, startKey, endKey, state, rows } of checkpoint.partitions())
          marks.push({ index, startKey, endKey, state, rows });
        const text = JSON.stringify(marks);
        return (value) => sorted(value) === sorted(text);
      }
    }
  }

  async #observeEntry(key: string, isListed: boolean): Promise<(value: string) => boolean> {
    const row = await this.#driver.ordered.get(`entry:${key}`);
    const missingBefore = this.#missingBodies;
    const head = await this.#driver.head(key);
    const entry = await this.#readOrLose(key);
    if (entry) {
      if (!isListed) this.#problem(`${key} is read and not listed`);
      const { storedAt, size } = entry.metadata;
      if (head?.storedAt !== storedAt || head.size !== size) this.#problem(`head and read of ${key} differ`);
      if (size !== entry.body.length) this.#problem(`${key} has ${entry.body.length} bytes and says ${size}`);
      const text = entryValue(entry.body, storedAt);
      return (value) => value === text;
    }
    if (!isListed) {
      if (head) this.#problem(`${key} has a head and is not listed`);
      return (value) => value === ABSENT;
    }
    // Listed, but its body is not to be had: the row still says which value it would be.
    if (!this.#allowed.bodies || row === undefined) {
      this.#problem(`${key} is listed and its body is ${entry === null ? 'damaged' : 'gone'}`);
      return () => true;
    }
    this.verdict.missing += 1;
    if (entry === null) this.verdict.damaged += 1;
    if (this.#missingBodies !== missingBefore + 1) this.#problem(`the missing body of ${key} was not counted once`);
    if (await this.#readOrLose(key)) this.#problem(`${key} came back after it was lost`);
    if ((await this.#driver.ordered.get(`entry:${key}`)) !== undefined) this.#problem(`the row of ${key} stayed`);
    const { storedAt, size } = JSON.parse(row);
    const text = rowValue(size, storedAt);
    return (value) => value.startsWith(`${text} `);
  }

  /** `null` for damaged bytes. */
  async #readOrLose(key: string): Promise<StoredEntry | undefined | null> {
    try {
      return await this.#driver.read(key);
    } catch (error) {
      if ((error as { code?: string }).code === 'ERR_CORRUPT') return null;
      throw error;
    }
  }

  get #missingBodies(): number {
    return this.#driver instanceof NodeStorageDriver ? this.#driver.missingBodies : 0;
  }

  /** Whoever comes next writes again what is not there. It must be there then: nothing left behind may stand in its way. */
  async #repeat(seen: ReadonlyMap<string, number[]>): Promise<void> {
    const { plan, times, position } = this.#moment;
    for (const [name, target] of plan.targets) {
      const begun = countBefore(target, times.start, position);
      const step = plan.steps[target.steps[begun - 1] ?? -1];
      const isThere = seen.get(name)?.includes(begun) && (await this.#driver.head(name)) !== undefined;
      if (step?.type !== 'write' || isThere || this.verdict.repeated === MOST_REPEATED) continue;
      this.verdict.repeated += 1;
      await this.#write(step);
    }
  }

  async #write(step: Step & { type: 'write' }): Promise<void> {
    const body = bytesOf(step.content);
    const { key, storedAt } = step;
    this.#disk.touched(key, body);
    await this.#driver.write(key, { body, metadata: { storedAt, encoding: 'identity', size: body.length } });
    const entry = await this.#readOrLose(key);
    if (!entry || entryValue(entry.body, entry.metadata.storedAt) !== entryValue(body, storedAt))
      this.#problem(`${key} was written once more and then was ${entry === null ? 'damaged' : 'not there'}`);
  }
}

/** Marks as text, whatever the order of their fields. */
function sorted(text: string): string {
  if (!text.startsWith('[')) return text;
  return JSON.stringify(
    (JSON.parse(text) as object[]).map((mark) => Object.entries(mark).sort(([a], [b]) => (a < b ? -1 : 1))),
  );
}
