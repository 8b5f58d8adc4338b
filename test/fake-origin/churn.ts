import { random } from './hash.ts';
import { REMOVALS, type RemovalKind } from './types.ts';
import type { World } from './world.ts';

/** What may happen to a package: a removal, or a publish of one that is (or was) there, or of a new one. */
type ChangeKind = RemovalKind | 'publish' | 'new';

const CHANGES: readonly string[] = ['publish', 'new', ...REMOVALS];

/** Many changes at once. */
export interface ChurnRule {
  count: number;
  seed: number;
  /** How often each kind happens, as weights; `publish` alone unless told. */
  mix?: Partial<Record<ChangeKind, number>>;
}

/** A removal that happened: `version` is the latest one from before, which is nowhere to be had from then on. */
export interface Removed {
  name: string;
  how: RemovalKind;
  rev: string;
  seq: number;
  version: string;
}

export interface Churned {
  /** How often each kind happened; a version that cannot be taken away becomes a publish. */
  made: Partial<Record<ChangeKind, number>>;
  /** The removals, each with a row of its own; silent ones too. */
  removed: Removed[];
  seq: number;
}

/** What a churn acts with. */
interface ChurnActs {
  world: World;
  publish(name: string): unknown;
  remove(name: string, how: RemovalKind): { rev: string; seq: number };
  /** The latest version of a name; `undefined` where it has none that can be removed, or no other besides. */
  latest(name: string, how: RemovalKind): string | undefined;
}

/** Changes packages at random: the same seed on the same world makes the same changes. Throws on a rule that is none. */
export function churn({ world, publish, remove, latest }: ChurnActs, rule: ChurnRule): Churned {
  const kinds = weightsOf(rule);
  const total = kinds.reduce((sum, [, weight]) => sum + weight, 0);
  const draw = random(rule.seed);
  const made: Churned['made'] = {};
  const removed: Removed[] = [];
  for (let i = 0; i < rule.count; i++) {
    const name = world.nameOf(Math.floor(draw() * world.known));
    let kind = kindAt(kinds, draw() * total);
    let version: string | undefined;
    if (kind !== 'publish' && kind !== 'new') {
      version = latest(name, kind);
      if (version === undefined) kind = 'publish';
      else removed.push({ name, how: kind, ...remove(name, kind), version });
    }
    if (kind === 'publish') publish(name);
    if (kind === 'new') publish(`churn-${rule.seed}-${i}`);
    made[kind] = (made[kind] ?? 0) + 1;
  }
  return { made, removed, seq: world.updateSeq };
}

function weightsOf({ count, seed, mix: weights = { publish: 1 } }: ChurnRule): [ChangeKind, number][] {
  if (!Number.isSafeInteger(count) || count < 0 || !Number.isSafeInteger(seed))
    throw new TypeError('count and seed of a churn must be whole numbers');
  const kinds = Object.entries(weights) as [ChangeKind, number][];
  const isRight = kinds.every(([kind, weight]) => CHANGES.includes(kind) && weight > 0);
  if (kinds.length === 0 || !isRight) throw new TypeError(`mix must give weights above 0 to some of ${CHANGES.join()}`);
  return kinds;
}

function kindAt(kinds: readonly [ChangeKind, number][], at: number): ChangeKind {
  let end = 0;
  for (const [kind, weight] of kinds) {
    end += weight;
    if (at < end) return kind;
  }
  return (kinds.at(-1) as [ChangeKind, number])[0];
}
