import type { Plan, Target } from './plan.ts';
import type { Recording } from './trace.ts';

/** When each step of a recording began and was acknowledged, as places in the recording. */
export interface Times {
  start: number[];
  ack: number[];
}

export function timesOf(plan: Plan, recording: Recording): Times {
  const never = () => plan.steps.map(() => Number.POSITIVE_INFINITY);
  const times: Times = { start: never(), ack: never() };
  for (const [place, event] of recording.entries())
    if (event.type === 'start' || event.type === 'ack') times[event.type][event.step] = place;
  return times;
}

/** How many of a target's steps had begun, or were acknowledged, before a place. They happen in their order. */
export function countBefore(target: Target, moments: readonly number[], place: number): number {
  return target.steps.filter((step) => (moments[step] ?? 0) < place).length;
}

/**
 * What is wrong with the values seen in a crash state: each must be the one after a step of its target that had begun, and
 * no older than the last acknowledged one. `seen` gives a target's possible values as places in its list.
 *
 * Where losing the end is allowed, what is there must be a moment of the past as a whole: whatever was acknowledged
 * before a step began whose work is seen must be seen, too. So a checkpoint's mark is never ahead of its data.
 */
export function judge(
  plan: Plan,
  times: Times,
  position: number,
  seen: ReadonlyMap<string, number[]>,
  mayLoseEnd: boolean,
): string[] {
  const problems: string[] = [];
  let sure = position;
  if (mayLoseEnd) {
    sure = 0;
    for (const [name, target] of plan.targets) {
      const earliest = Math.min(...(seen.get(name) ?? []));
      const step = target.steps[earliest - 1];
      if (step !== undefined) sure = Math.max(sure, times.start[step] ?? 0);
    }
  }
  for (const [name, target] of plan.targets) {
    const most = countBefore(target, times.start, position);
    const least = countBefore(target, times.ack, sure);
    const places = seen.get(name) ?? [];
    if (!places.some((place) => place <= most))
      problems.push(`${name} has a value that nobody had written by then (${most} steps had begun)`);
    else if (!places.some((place) => place >= least && place <= most))
      problems.push(`${name} is as after step ${places.join(' or ')} of its own, ${least} were acknowledged`);
  }
  return problems;
}
