import { hash } from 'node:crypto';
import { below, mulberry32 } from './random.ts';

/**
 * What a workload does, and what each of its steps makes of the replica. The workload and the checker derive the same
 * plan from the same seed. Every step belongs to one target (an entry, a group of rows, a checkpoint), and steps on one
 * target take effect in their order; so a target's value must always be the one after some step of its own.
 */
export interface Plan {
  seed: number;
  steps: Step[];
  /** Steps that are issued together; the next wave begins when all are acknowledged. */
  waves: Wave[];
  targets: Map<string, Target>;
  /** SQLite's limit of WAL pages, so that short workloads see checkpoints, too. */
  walPages: number;
}

interface Wave {
  steps: number[];
  /** Close the driver and open it anew before these steps. */
  reopen: boolean;
}

export interface Target {
  kind: 'entry' | 'rows' | 'checkpoint';
  /** Places of its steps in the plan. */
  steps: number[];
  /** Values as canonical text: first that before any step, then the one after each. */
  values: string[];
}

export type Step = { target: string } & (
  | { type: 'write'; key: string; content: Content; storedAt: number }
  | { type: 'touch'; key: string; storedAt: number }
  | { type: 'delete'; key: string }
  | { type: 'commit'; keys: string[]; values: (string | null)[]; expect: (string | null)[] }
  | { type: 'record'; boundaries: string[] }
  | { type: 'mark'; index: number; rows: number }
  | { type: 'split'; index: number; at: string; rows: number }
);

/** A body, made from a seed: two steps may store the same one. */
export interface Content {
  seed: number;
  size: number;
}

interface Mark {
  index: number;
  startKey: string | null;
  endKey: string | null;
  state: 'pending' | 'complete';
  rows: number;
}

export const ABSENT = 'absent';
export const CHECKPOINT_SET = 'crash';
const BOUNDARIES = ['d', 'k', 'r'];
const ENTRIES = 14;
const ROW_GROUPS = 3;

interface Entry {
  content: Content;
  storedAt: number;
}

export function makePlan(seed: number, length: number): Plan {
  const random = mulberry32(seed);
  const plan: Plan = {
    seed,
    steps: [],
    waves: [],
    targets: new Map(),
    walPages: [8, 30, 1_000][below(random, 3)] as number,
  };
  const state = new State(random, plan);
  state.record();
  plan.waves.push({ steps: [0], reopen: false });
  while (plan.steps.length < length) {
    const first = plan.steps.length;
    // Most steps come in company: their commits share a transaction.
    for (let n = 1 + below(random, 5); n > 0; n--) state.step();
    const steps = plan.steps.map((_, i) => i).slice(first);
    plan.waves.push({ steps, reopen: random() < 0.06 });
  }
  return plan;
}

/** What the replica holds while the plan is made. */
class State {
  readonly #random: () => number;
  readonly #plan: Plan;
  readonly #entries = new Map<string, Entry>();
  readonly #contents: Content[] = [];
  readonly #rows = new Map<string, (string | null)[]>();
  #marks: Mark[] = [];

  constructor(random: () => number, plan: Plan) {
    this.#random = random;
    this.#plan = plan;
  }

  record(): void {
    const edges = [null, ...BOUNDARIES, null];
    this.#marks = BOUNDARIES.concat('').map((_, index) => ({
      index,
      startKey: edges[index] as string | null,
      endKey: edges[index + 1] as string | null,
      state: 'pending',
      rows: 0,
    }));
    this.#add('checkpoint', { target: 'checkpoint', type: 'record', boundaries: BOUNDARIES }, '[]', this.#marks);
  }

  step(): void {
    const dice = this.#random();
    if (dice < 0.5) this.#write();
    else if (dice < 0.6) this.#touch();
    else if (dice < 0.7) this.#delete();
    else if (dice < 0.85) this.#commit();
    else this.#mark();
  }

  #write(): void {
    const key = this.#key();
    const content = this.#content();
    const storedAt = this.#plan.steps.length;
    this.#entries.set(key, { content, storedAt });
    this.#entry({ target: key, type: 'write', key, content, storedAt });
  }

  #touch(): void {
    const key = this.#key();
    const storedAt = this.#plan.steps.length;
    const entry = this.#entries.get(key);
    if (entry) this.#entries.set(key, { ...entry, storedAt });
    this.#entry({ target: key, type: 'touch', key, storedAt });
  }

  #delete(): void {
    const key = this.#key();
    this.#entries.delete(key);
    this.#entry({ target: key, type: 'delete', key });
  }

  #entry(step: Step & { key: string }): void {
    const entry = this.#entries.get(step.key);
    this.#add('entry', step, ABSENT, entry ? entryValue(bytesOf(entry.content), entry.storedAt) : ABSENT);
  }

  /** All rows of a group change together, so that half a transaction would show. One in eight expects what is not so. */
  #commit(): void {
    const target = `rows:${below(this.#random, ROW_GROUPS)}`;
    const keys = ['a', 'b', 'c'].map((name) => `v1:crash:${target}:${name}`);
    const before = this.#rows.get(target) ?? [null, null, null];
    const written = `${this.#plan.steps.length}`.padEnd(1 + below(this.#random, 200), '.');
    const values = before.map((_, i) => (i > 0 && this.#random() < 0.2 ? null : `${i} ${written}`));
    const fails = this.#random() < 0.125;
    const expect = fails ? ['nobody wrote this', before[1] ?? null, before[2] ?? null] : before;
    if (!fails) this.#rows.set(target, values);
    const empty = JSON.stringify([null, null, null]);
    this.#add('rows', { target, type: 'commit', keys, values, expect }, empty, fails ? before : values);
  }

  #mark(): void {
    const pending = this.#marks.filter(({ state }) => state === 'pending');
    const mark = pending[below(this.#random, pending.length)];
    const rows = 1 + this.#plan.steps.length;
    const at = mark && between(mark.startKey, mark.endKey);
    if (mark && at !== undefined && (pending.length < 3 || this.#random() < 0.5)) {
      const rest: Mark = { ...mark, index: this.#marks.length, startKey: at };
      this.#marks = this.#marks.map((one) => (one === mark ? { ...one, endKey: at, state: 'complete', rows } : one));
      this.#marks.push(rest);
      this.#add('checkpoint', { target: 'checkpoint', type: 'split', index: mark.index, at, rows }, '[]', this.#marks);
    } else {
      const index = mark?.index ?? 0;
      this.#marks = this.#marks.map((one) => (one.index === index ? { ...one, state: 'complete', rows } : one));
      this.#add('checkpoint', { target: 'checkpoint', type: 'mark', index, rows }, '[]', this.#marks);
    }
  }

  #add(kind: Target['kind'], step: Step, initial: string, value: unknown): void {
    const target = this.#plan.targets.get(step.target) ?? { kind, steps: [], values: [initial] };
    this.#plan.targets.set(step.target, target);
    target.steps.push(this.#plan.steps.length);
    target.values.push(typeof value === 'string' ? value : JSON.stringify(value));
    this.#plan.steps.push(step);
  }

  #key(): string {
    return `v1:packument:crash:${String(below(this.#random, ENTRIES)).padStart(2, '0')}`;
  }

  #content(): Content {
    const known = this.#contents[below(this.#random, this.#contents.length)];
    if (known && this.#random() < 0.2) return known;
    // Now and then one that fills several pages, rarely none at all.
    const most = this.#random() < 0.15 ? 12_000 : 1_500;
    const content = { seed: this.#plan.seed * 10_000 + this.#plan.steps.length, size: below(this.#random, most) };
    this.#contents.push(content);
    return content;
  }
}

/** A text between two keys of lower-case letters; `undefined` when the range is narrow enough. */
function between(startKey: string | null, endKey: string | null): string | undefined {
  const at = `${startKey ?? 'a'}m`;
  return at.length < 6 && (endKey === null || at < endKey) ? at : undefined;
}

export function bytesOf({ seed, size }: Content): Uint8Array {
  const random = mulberry32(seed);
  return Uint8Array.from({ length: size }, () => below(random, 256));
}

/** The canonical text of an entry; {@link rowValue} is the part that an index row tells by itself. */
export function entryValue(body: Uint8Array, storedAt: number): string {
  return `${rowValue(body.length, storedAt)} ${hash('sha256', body)}`;
}

export function rowValue(size: number, storedAt: number): string {
  return `${storedAt} ${size}`;
}
