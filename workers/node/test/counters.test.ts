import { describe, expect, it } from 'vitest';
import { type Snapshot, sumSnapshots } from '../src/server/counters.ts';

const snapshot = (parts: Partial<Snapshot>, lag = 0, startedAt = 100): Snapshot => ({
  requests: {},
  hot: 1,
  bytes: 10,
  inFlight: 0,
  connections: 2,
  aborted: 0,
  cut: 0,
  dropped: 0,
  process: { rssBytes: 1_000, peakRssBytes: 2_000, cpuSeconds: 1.5, startedAt, lagP99: lag, lagMax: 2 * lag },
  counters: {},
  ...parts,
});

describe('the counters of several processes', () => {
  it('are added, but for the lag of the slowest and the start of the oldest', () => {
    const sum = sumSnapshots([
      snapshot({ requests: { 'packument 200': 3 } }, 0.5, 120),
      snapshot({ requests: { 'packument 200': 4, 'tarball 200': 1 }, cut: 1 }, 0.1, 100),
      snapshot({}, 0.2, 130),
    ]);
    expect(sum).toEqual({
      requests: { 'packument 200': 7, 'tarball 200': 1 },
      hot: 3,
      bytes: 30,
      inFlight: 0,
      connections: 6,
      aborted: 0,
      cut: 1,
      dropped: 0,
      process: { rssBytes: 3_000, peakRssBytes: 6_000, cpuSeconds: 4.5, startedAt: 100, lagP99: 0.5, lagMax: 1 },
      counters: {},
    });
  });

  it('of the registry are added at every depth, and lists are united', () => {
    const sum = sumSnapshots([
      snapshot({ counters: { hits: 1, tarballs: { hits: 2 }, missing: ['a', 'b'], mode: 'x' } }),
      snapshot({ counters: { hits: 2, tarballs: { hits: 3, lost: 1 }, missing: ['b', 'c'], mode: 'x' } }),
    ]);
    expect(sum.counters).toEqual({ hits: 3, tarballs: { hits: 5, lost: 1 }, missing: ['a', 'b', 'c'], mode: 'x' });
  });

  it('of one process are its own', () => {
    const one = snapshot({ requests: { 'ping 200': 1 } });
    expect(sumSnapshots([one])).toEqual(one);
  });
});
