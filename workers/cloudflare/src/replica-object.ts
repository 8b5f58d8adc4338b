import { DurableObject } from 'cloudflare:workers';
import type { Bindings } from './bindings.js';

/** The replica's own rows: cursors, checkpoints, leases. */
export class ReplicaObject extends DurableObject<Bindings> {}
