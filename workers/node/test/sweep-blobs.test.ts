import { sweepBlobsNowAndThen } from '@_all_docs/worker-node';
import { expect, it } from 'vitest';
import { TestClock } from './_clock.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

it('blobs without references are looked for a minute after the start, then once a day, until the end', async () => {
  const clock = new TestClock();
  const asked: object[] = [];
  const sweep = async (options: object) => {
    asked.push(options);
    return { blobs: 0, bytes: 0 };
  };
  const stop = sweepBlobsNowAndThen({ sweep }, { clock });
  await clock.pass(MINUTE - 1);
  expect(asked).toEqual([]);
  await clock.pass(1);
  expect(asked).toEqual([{ graceMs: 60 * MINUTE, orphans: true }]);
  await clock.pass(DAY);
  expect(asked.length).toBe(2);
  await stop();
  await clock.pass(2 * DAY);
  expect(asked.length).toBe(2);
});

it('trouble is logged, and the next day it is tried again', async () => {
  const clock = new TestClock();
  const said: string[] = [];
  let tries = 0;
  const sweep = async () => {
    tries += 1;
    if (tries === 1) throw new Error('the disk is away');
    return { blobs: 2, bytes: 10 };
  };
  const logger = { warn: (text: string) => void said.push(text), info: (text: string) => void said.push(text) };
  const stop = sweepBlobsNowAndThen({ sweep }, { clock, logger });
  await clock.pass(MINUTE);
  await clock.pass(DAY);
  await stop();
  expect(said).toEqual(['blobs without references could not be deleted', 'blobs without references were deleted']);
});
