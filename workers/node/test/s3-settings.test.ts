import { systemClock } from '@_all_docs/worker-node';
import { parseBucketUrl, readS3Settings, S3Bucket } from '@_all_docs/worker-node/object-stores';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { collect } from '../../../test/contract/_bytes.ts';
import { temporaryDirectory } from './_directory.ts';

describe('how S3 is reached', () => {
  const keys = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' };

  it('is said by the usual variables', async () => {
    const home = await temporaryDirectory();
    expect(await readS3Settings({ ...keys, AWS_SESSION_TOKEN: 'token', AWS_REGION: 'eu-west-1' }, home)).toEqual({
      credentials: { accessKeyId: 'id', secretAccessKey: 'secret', sessionToken: 'token' },
      region: 'eu-west-1',
      endpoint: undefined,
      pathStyle: false,
    });
    const own = await readS3Settings({ ...keys, AWS_ENDPOINT_URL: 'http://a', AWS_ENDPOINT_URL_S3: 'http://b' }, home);
    expect(own).toMatchObject({ endpoint: 'http://b', pathStyle: true, region: 'us-east-1' });
    expect(
      await readS3Settings({ ...keys, AWS_ENDPOINT_URL: 'http://a', ALL_DOCS_S3_STYLE: 'virtual' }, home),
    ).toMatchObject({ pathStyle: false });
  });

  it('is said by the profiles of the usual files, else', async () => {
    const home = await temporaryDirectory();
    const [secrets, config] = [join(home, 'credentials'), join(home, 'config')];
    writeFileSync(
      secrets,
      '# ours\n[default]\naws_access_key_id=a\naws_secret_access_key = b=c \n[ other ]\naws_access_key_id = x\r\naws_secret_access_key = y\r\n',
    );
    writeFileSync(
      config,
      '[default]\nregion = eu-north-1\n[profile other]\nregion = eu-south-1\nendpoint_url = http://own\n',
    );
    const files = { AWS_SHARED_CREDENTIALS_FILE: secrets, AWS_CONFIG_FILE: config };
    expect(await readS3Settings(files, home)).toMatchObject({
      credentials: { accessKeyId: 'a', secretAccessKey: 'b=c' },
      region: 'eu-north-1',
    });
    expect(await readS3Settings({ ...files, AWS_PROFILE: 'other' }, home)).toMatchObject({
      credentials: { accessKeyId: 'x', secretAccessKey: 'y' },
      region: 'eu-south-1',
      endpoint: 'http://own',
    });
    // A key of one place never goes with the secret of another.
    await expect(readS3Settings({ ...files, AWS_ACCESS_KEY_ID: 'only' }, home)).rejects.toMatchObject({
      code: 'ERR_CACHE_UNWRITABLE',
    });
    await expect(readS3Settings({ ...files, AWS_PROFILE: 'none' }, home)).rejects.toThrow(/profile "none"/);
  });

  it.each([
    ['s3://bucket', { service: 's3', bucket: 'bucket', prefix: '' }],
    ['s3://bucket/', { service: 's3', bucket: 'bucket', prefix: '' }],
    ['gs://my.bucket-1/a//b/', { service: 'gs', bucket: 'my.bucket-1', prefix: 'a/b/' }],
    ['s3://bucket/../other', undefined],
    ['file:///bucket', undefined],
    ['s3:bucket', undefined],
  ])('is said by a URL: %s', (url, address) => {
    expect(parseBucketUrl(url)).toEqual(address);
  });
});

describe('what an S3 server is asked', () => {
  async function recorded(
    answer: (url: string) => { status: number; body?: string; headers?: Record<string, string> },
  ) {
    const asked: { host: string; url: string; authorization: string }[] = [];
    const server = createServer((incoming, outgoing) => {
      asked.push({
        host: incoming.headers.host ?? '',
        url: incoming.url ?? '',
        authorization: incoming.headers.authorization ?? '',
      });
      const { status, body = '', headers } = answer(incoming.url ?? '');
      outgoing.writeHead(status, headers).end(body);
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    return { asked, port, close: () => new Promise((resolve) => server.close(resolve)) };
  }
  const open = (endpoint: string, pathStyle: boolean) =>
    new S3Bucket({
      bucket: 'bucket',
      prefix: 'p/',
      settings: {
        endpoint,
        region: 'us-east-1',
        credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
        pathStyle,
      },
      clock: { ...systemClock, sleep: async () => {} },
      random: Math.random,
      patienceMs: 0,
    });

  it('has the bucket in the path, or in the name of the host', async () => {
    const server = await recorded(() => ({ status: 404 }));
    const byPath = open(`http://localhost:${server.port}/base/`, true);
    const byHost = open(`http://localhost:${server.port}`, false);
    await byPath.head('a b');
    // Where names below localhost are not known, the error names the host that was looked for.
    const said = await byHost.head('a+b').catch(({ message }) => message);
    expect(said ?? server.asked[1]?.host).toContain('bucket.localhost');
    expect([server.asked[0]?.host, server.asked[0]?.url]).toEqual([`localhost:${server.port}`, '/base/bucket/p/a%20b']);
    expect(server.asked[0]?.authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=id\//);
    await Promise.all([byPath.close(), byHost.close()]);
    await server.close();
  });

  it('is never asked of where it redirects: what is signed is for one place', async () => {
    const elsewhere = await recorded(() => ({ status: 200 }));
    const server = await recorded(() => ({
      status: 307,
      headers: { location: `http://127.0.0.1:${elsewhere.port}/` },
    }));
    const bucket = open(`http://127.0.0.1:${server.port}`, true);
    await expect(bucket.head('x')).rejects.toMatchObject({ code: 'ERR_NO_STORAGE', message: /AWS_REGION/ });
    expect(elsewhere.asked).toEqual([]);
    await bucket.close();
    await Promise.all([server.close(), elsewhere.close()]);
  });

  it('is listed page by page, names unescaped', async () => {
    const entry = (key: string) =>
      `<Contents><Key>${key}</Key><Size>1</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>`;
    const page = (entries: string, next?: string) =>
      `<?xml version="1.0"?><ListBucketResult xmlns="x">${entries}<IsTruncated>${next !== undefined}</IsTruncated>${next ? `<NextContinuationToken>${next}</NextContinuationToken>` : ''}</ListBucketResult>`;
    const server = await recorded((url) => ({
      status: 200,
      body: url.includes('continuation-token=t%2F2')
        ? page(entry('p/&lt;b&gt;&#13;&#x1F600;'))
        : page(entry('p/a&amp;b') + entry('p/folder/'), 't/2'),
    }));
    const bucket = open(`http://127.0.0.1:${server.port}`, true);
    expect((await collect(bucket.list(''))).map(({ key }) => key)).toEqual(['a&b', '<b>\r\u{1f600}']);
    await bucket.close();
    await server.close();
  });

  it('that fails while it completes, after it said 200, is not taken for done', async () => {
    const server = await recorded(() => ({
      status: 200,
      body: '<Error><Code>InternalError</Code><Message>x</Message></Error>',
    }));
    const bucket = open(`http://127.0.0.1:${server.port}`, true);
    await expect(bucket.copy('a', 'b')).rejects.toMatchObject({ code: 'ERR_STORAGE_WRITE', message: /InternalError/ });
    await bucket.close();
    await server.close();
  });
});
