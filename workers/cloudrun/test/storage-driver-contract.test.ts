import { GCSStorageDriver } from '@_all_docs/worker-cloudrun';
import { systemClock } from '@_all_docs/worker-node';
import { GCSBucket } from '@_all_docs/worker-node/object-stores';
import { Storage } from '@google-cloud/storage';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storageDriverContract } from '../../../test/contract/storage-driver.ts';
import { type GCSServer, startGCS, whyNoGCS } from '../../../test/servers/gcs.ts';

const names = new Map<unknown, string>();
const why = whyNoGCS();

describe.skipIf(why)(`GCS${why ? ` (off: ${why})` : ''}`, () => {
  let server: GCSServer;
  beforeAll(async () => {
    // Keys of any text are names of objects, which only memory takes as they are.
    server = await startGCS({ backend: 'memory' });
  });
  afterAll(() => server?.stop());

  const open = (name: string) => {
    const storage = new Storage({ apiEndpoint: server.endpoint, projectId: 'test' });
    const bucket = new GCSBucket({ bucket: name, storage, clock: systemClock, random: Math.random, patienceMs: 5_000 });
    const driver = new GCSStorageDriver(name, { bucket });
    names.set(driver, name);
    return driver;
  };

  storageDriverContract({
    name: 'GCSStorageDriver',
    create: async () => open(await server.bucket()),
    reopen: (driver) => open(names.get(driver) as string),
    traits: { slow: { reason: 'each of 10,000 writes is a request' } },
  });

  it('names objects by their keys, and takes what others wrote there as plain JSON', async () => {
    const name = await server.bucket();
    const storage = new Storage({ apiEndpoint: server.endpoint, projectId: 'test' });
    const driver = open(name);
    await driver.set('v1:packument:npm:61', { name: 'a' });
    const [content] = await storage.bucket(name).file('v1:packument:npm:61.json').download();
    expect(JSON.parse(content.toString())).toEqual({ name: 'a' });
    await storage.bucket(name).file('v1:packument:npm:62.json').save('{"name":"b"}');
    expect(await driver.get('v1:packument:npm:62')).toEqual({ name: 'b' });
    expect(await driver.has('v1:packument:npm:63')).toBe(false);
    await driver.close();
  });
});
