import { describe, expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';
import { checkpointOn, states, three, WatchedStore } from './_set.ts';

const TTL = 60_000;

async function recorded() {
  const store = new WatchedStore();
  const checkpoint = checkpointOn(store);
  await checkpoint.recordPartitions(three());
  return { store, checkpoint };
}

const indexOf = async (claim: Promise<{ record: { index: number } } | undefined>) => (await claim)?.record.index;

describe('claim', () => {
  it('gives each partition once, in order, then none', async () => {
    const { checkpoint } = await recorded();
    const lease = await checkpoint.claim('x', 1_000, TTL);
    expect(lease).toEqual({
      owner: 'x',
      until: 61_000,
      record: { index: 0, startKey: null, endKey: 'a', state: 'pending', rows: 0 },
    });
    expect(await indexOf(checkpoint.claim('y', 1_000, TTL))).toBe(1);
    expect(await indexOf(checkpoint.claim('x', 1_000, TTL))).toBe(2);
    expect(await checkpoint.claim('x', 1_000, TTL)).toBeUndefined();
    expect(await checkpoint.claim('z', 1_000, TTL)).toBeUndefined();
  });

  it('takes a lease over when it has run out', async () => {
    const { checkpoint } = await recorded();
    await checkpoint.claim('x', 0, TTL);
    expect(await indexOf(checkpoint.claim('y', TTL - 1, TTL))).toBe(1);
    expect(await indexOf(checkpoint.claim('y', TTL, TTL))).toBe(0);
  });

  it("takes a dead owner's partitions up at once, and leaves the living theirs", async () => {
    const { checkpoint } = await recorded();
    await checkpoint.claim('dead', 0, TTL);
    await checkpoint.claim('alive', 0, TTL);
    const asked: string[] = [];
    const isAlive = async (owner: string) => asked.push(owner) > 0 && owner === 'alive';
    expect(await indexOf(checkpoint.claim('new', 1, TTL, isAlive))).toBe(0);
    expect(await indexOf(checkpoint.claim('new', 1, TTL, (owner) => owner !== 'dead'))).toBe(2);
    expect(asked).toEqual(['dead']);
  });

  it('passes over what is complete or failed', async () => {
    const { checkpoint } = await recorded();
    await checkpoint.markComplete(0);
    await checkpoint.markFailed(1, 'x');
    expect(await indexOf(checkpoint.claim('x', 0, TTL))).toBe(2);
    await checkpoint.retryFailed();
    expect(await indexOf(checkpoint.claim('x', 0, TTL))).toBe(1);
    expect(await indexOf(checkpoint.claim('x', 0, TTL))).toBeUndefined();
  });

  it('finds what a split recorded, once the splitter lets go of it', async () => {
    const { checkpoint } = await recorded();
    await checkpoint.claim('x', 0, TTL);
    await checkpoint.split(0, '5', { rows: 1 });
    await checkpoint.markComplete(1);
    await checkpoint.markComplete(2);
    // The rest stays with whoever works on it.
    expect(await checkpoint.claim('y', 1, TTL)).toBeUndefined();
    expect(await indexOf(checkpoint.claim('y', 1, TTL, () => false))).toBe(3);
  });

  it('keeps what a split recorded leased from the split on, not from when the first part was claimed', async () => {
    const { checkpoint } = await recorded();
    await checkpoint.claim('x', 0, TTL);
    await checkpoint.split(0, '5', { rows: 1, until: TTL + TTL / 2 });
    await checkpoint.markComplete(1);
    await checkpoint.markComplete(2);
    expect(await checkpoint.claim('y', TTL + 1, TTL)).toBeUndefined();
    expect(await indexOf(checkpoint.claim('y', TTL + TTL / 2, TTL))).toBe(3);
  });

  it('tells whoever splits too late that another one has come so far', async () => {
    const { checkpoint } = await recorded();
    await checkpoint.claim('x', 0, TTL);
    await checkpoint.claim('y', TTL, TTL);
    await checkpoint.split(0, '5', { rows: 1 });
    for (const at of ['5', '6'])
      await expect(checkpoint.split(0, at, { rows: 1 })).rejects.toMatchObject({ code: 'ERR_LEASE_LOST' });
    expect((await checkpoint.getProgress()).stats).toMatchObject({ total: 4, completed: 1 });
  });

  it('finds what another process put back', async () => {
    const { store, checkpoint } = await recorded();
    await checkpoint.markFailed(0, 'x');
    await checkpoint.claim('x', 0, TTL);
    await checkpointOn(store).retryFailed();
    const given = [await indexOf(checkpoint.claim('x', 0, TTL)), await indexOf(checkpoint.claim('x', 0, TTL))];
    expect(given.sort()).toEqual([0, 2]);
  });

  it('does not give back a partition that a release left pending', async () => {
    const { checkpoint } = await recorded();
    const lease = await checkpoint.claim('x', 0, TTL);
    await checkpoint.markComplete(lease?.record.index as number, { rows: 1 });
    expect(await states(checkpoint)).toEqual(['complete', 'pending', 'pending']);
    expect(await indexOf(checkpoint.claim('x', TTL * 10, TTL))).toBe(1);
  });
});

describe('renew', () => {
  it('keeps a partition for longer', async () => {
    const { checkpoint } = await recorded();
    const lease = await checkpoint.claim('x', 0, TTL);
    await checkpoint.renew(lease as NonNullable<typeof lease>, 50_000, TTL);
    expect(await indexOf(checkpoint.claim('y', 100_000, TTL))).toBe(1);
    expect(await indexOf(checkpoint.claim('y', 110_000, TTL))).toBe(0);
  });

  it('is ERR_LEASE_LOST when somebody else has it, or it is done', async () => {
    const { checkpoint } = await recorded();
    const lease = (await checkpoint.claim('x', 0, TTL)) as NonNullable<Awaited<ReturnType<typeof checkpoint.claim>>>;
    const other = (await checkpoint.claim('y', TTL, TTL)) as typeof lease;
    expect(other.record.index).toBe(0);
    expect(await codeOf(() => checkpoint.renew(lease, TTL + 1, TTL))).toBe('ERR_LEASE_LOST');
    await checkpoint.renew(other, TTL + 1, TTL);
    await checkpoint.markComplete(0);
    expect(await codeOf(() => checkpoint.renew(other, TTL + 2, TTL))).toBe('ERR_LEASE_LOST');
  });
});

describe('isLeasedByOthers', () => {
  it('tells whether to wait for somebody', async () => {
    const { checkpoint } = await recorded();
    expect(await checkpoint.isLeasedByOthers('x', 0)).toBe(false);
    await checkpoint.claim('x', 0, TTL);
    expect(await checkpoint.isLeasedByOthers('x', 0)).toBe(false);
    expect(await checkpoint.isLeasedByOthers('y', 0)).toBe(true);
    expect(await checkpoint.isLeasedByOthers('y', 0, () => false)).toBe(false);
    expect(await checkpoint.isLeasedByOthers('y', TTL)).toBe(false);
    await checkpoint.markComplete(0);
    expect(await checkpoint.isLeasedByOthers('y', 0)).toBe(false);
  });
});
