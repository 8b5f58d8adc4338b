import { DurableObject } from 'cloudflare:workers';
import type { Bindings } from './bindings.js';

/** The work queue. */
export class WorkQueueObject extends DurableObject<Bindings> {}
