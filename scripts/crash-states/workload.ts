/**
 * Carries out a plan in a directory: `workload.ts <store> <durability> <seed> <steps> <directory> <notes>`. Before each step
 * it notes `S <place>`, after it `A <place>`, in a file that is part of the recorded trace. It ends without closing anything.
 */
import { Cache } from '@_all_docs/cache';
import { PartitionCheckpoint } from '@_all_docs/checkpoint';
import { type DirectoryDriver, type Durability, openStorage, type StoreKind } from '@_all_docs/worker-node';
import { openSync, writeSync } from 'node:fs';
import { bytesOf, CHECKPOINT_SET, makePlan, type Step } from './plan.ts';

const [store, durability, seed, length, directory, notes] = process.argv.slice(2) as [
  StoreKind,
  Durability,
  string,
  string,
  string,
  string,
];
const plan = makePlan(Number(seed), Number(length));
const noteFile = openSync(notes, 'a');
let driver = await open();
const turns = new Map<string, Promise<void>>();
for (const { steps, reopen } of plan.waves) {
  if (reopen) {
    await driver.close();
    driver = await open();
  }
  await Promise.all(steps.map(begin));
}
process.exit(0);

/** Steps on one target wait for each other, for drivers promise no order among calls that overlap; all others run together. */
function begin(place: number): Promise<void> {
  const { target } = plan.steps[place] as Step;
  const turn = (turns.get(target) ?? Promise.resolve()).then(() => step(place));
  turns.set(target, turn);
  return turn;
}

async function step(place: number): Promise<void> {
  note('S', place);
  await perform(driver, plan.steps[place] as Step);
  note('A', place);
}

async function open(): Promise<DirectoryDriver> {
  const opened = await openStorage(directory, { kind: store, durability });
  const { file } = await opened.openDirectory();
  file.database.exec(`PRAGMA wal_autocheckpoint = ${plan.walPages}`);
  // What a process that dies leaves behind: whoever opens the directory next must clear it.
  await opened.ordered.commit([{ key: `v1:owner:${process.pid}`, value: '{}' }]);
  return opened;
}

function note(what: 'S' | 'A', place: number): void {
  writeSync(noteFile, `${what} ${place}\n`);
}

async function perform(storage: DirectoryDriver, step: Step): Promise<void> {
  const { ordered } = storage;
  switch (step.type) {
    case 'write': {
      const body = bytesOf(step.content);
      const { storedAt } = step;
      return storage.write(step.key, { body, metadata: { storedAt, encoding: 'identity', size: body.length } });
    }
    case 'touch':
      return storage.touch(step.key, { storedAt: step.storedAt });
    case 'delete':
      return storage.delete(step.key);
    case 'commit': {
      const rows = (values: (string | null)[]) => step.keys.map((key, i) => ({ key, value: values[i] ?? undefined }));
      await ordered.commit(rows(step.values), rows(step.expect));
      return;
    }
  }
  const checkpoint = new PartitionCheckpoint(new Cache({ driver: storage }), CHECKPOINT_SET);
  switch (step.type) {
    case 'record': {
      const edges = [null, ...step.boundaries, null];
      return checkpoint.recordPartitions(edges.slice(1).map((endKey, i) => ({ startKey: edges[i] ?? null, endKey })));
    }
    case 'mark':
      return checkpoint.markComplete(step.index, { rows: step.rows });
    case 'split':
      await checkpoint.split(step.index, step.at, { rows: step.rows });
  }
}
