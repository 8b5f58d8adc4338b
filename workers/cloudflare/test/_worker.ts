/** The worker under test: the deployed one, with objects whose time tests can let pass. */
import { WorkQueueObject as Deployed } from '../src/work-queue-object.ts';
import { testClock } from './_clock.ts';

export { ReplicaObject } from '../src/objects.ts';
export { default } from '../src/worker.ts';

export class WorkQueueObject extends Deployed {
  protected override readonly clock = testClock;
}
