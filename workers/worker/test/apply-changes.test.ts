import { ChangeLog } from '@_all_docs/changes';
import { expect, it } from 'vitest';
import { applyChanges } from '../src/follow/apply.js';
import { openReplica } from '../src/follow/replica.js';
import { envOf, json } from './_env.ts';

it('takes a row down in the log before it looks at what is held: who stores a document meanwhile finds it there', async () => {
  const env = envOf(() => json({}));
  const replica = await openReplica(env, 'full');
  const log = new ChangeLog({ ordered: replica.store, origin: env.origin });
  const seen: unknown[] = [];
  const { packuments } = replica;
  const heldMetadata = packuments.heldMetadata.bind(packuments);
  packuments.heldMetadata = async (name) => {
    seen.push(await log.get(name));
    return heldMetadata(name);
  };
  const row = { name: 'left', seq: 7, rev: '4-def', deleted: true };
  expect(await applyChanges([row], { replica, log, windowMs: 0 })).toMatchObject({ rows: 1, removed: 0 });
  expect(seen).toEqual([row]);
});
