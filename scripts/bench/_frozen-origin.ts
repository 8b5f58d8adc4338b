/**
 * A registry of a few packages whose sizes are known, for benchmarks of servers in front of it: everything is made once
 * and then only sent. Documents carry tarball URLs of the Host that they are asked for, so that a plain proxy can serve them.
 *
 *   node scripts/bench/_frozen-origin.ts          prints {"url":…}; ends with SIGTERM
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

const KEPT = [
  'name',
  'version',
  'dependencies',
  'devDependencies',
  'bin',
  'directories',
  'dist',
  'engines',
  'os',
  'cpu',
];

interface Sized {
  name: string;
  documentBytes: number;
  tarballBytes: number;
}

export const PACKAGES: readonly Sized[] = [
  { name: 'small', documentBytes: 10_000, tarballBytes: 9_000 },
  { name: 'large', documentBytes: 300_000, tarballBytes: 134_000 },
  { name: 'huge', documentBytes: 10_500_000, tarballBytes: 134_000 },
];

/** Bytes that do not compress, always the same for the same seed. */
function noise(seed: string, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let n = 0; n * 64 < length; n++) blocks.push(createHash('sha512').update(`${seed}:${n}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
}

function manifest(name: string, n: number, tarball: Buffer | undefined, base: string): Record<string, unknown> {
  const version = `1.${n}.0`;
  const bytes = tarball ?? noise(`${name}@${version}`, 64);
  return {
    name,
    version,
    description: `The ${name} package, as it was at its release number ${n}`,
    main: 'index.js',
    scripts: { test: 'node --test', build: 'tsc -b', prepublishOnly: 'npm run build' },
    repository: { type: 'git', url: `git+https://git.example.test/${name}/${name}.git` },
    keywords: ['bench', 'frozen', name],
    author: { name: 'A. Author', email: 'author@example.test' },
    license: 'MIT',
    engines: { node: '>=18' },
    dependencies: { 'dependency-a': `^${n}.0.0`, 'dependency-b': '~2.1.0' },
    devDependencies: { 'tool-a': '^5.0.0', 'tool-b': `^1.${n}.0` },
    dist: {
      tarball: `${base}/${name}/-/${name}-${version}.tgz`,
      shasum: createHash('sha1').update(bytes).digest('hex'),
      integrity: `sha512-${createHash('sha512').update(bytes).digest('base64')}`,
      fileCount: 10 + n,
      unpackedSize: 10_000 + n,
      signatures: [{ keyid: 'SHA256:bench', sig: noise(`${version} signature`, 70).toString('base64') }],
    },
    _npmUser: { name: 'author', email: 'author@example.test' },
  };
}

function documentOf({ name, documentBytes, tarballBytes }: Sized, base: string) {
  const tarball = noise(`${name} tarball`, tarballBytes);
  const versions: Record<string, Record<string, unknown>> = {};
  const time: Record<string, string> = { created: '2020-01-01T00:00:00.000Z', modified: '2026-01-01T00:00:00.000Z' };
  let length = 500;
  for (let n = 0; length < documentBytes; n++) {
    const made = manifest(name, n, n === 0 ? tarball : undefined, base);
    versions[made['version'] as string] = made;
    time[made['version'] as string] = new Date(Date.UTC(2020, 0, 1) + n * 86_400_000).toISOString();
    length += JSON.stringify(made).length + 50;
  }
  const latest = Object.keys(versions).at(-1);
  const full = {
    _id: name,
    _rev: '1-bench',
    name,
    'dist-tags': { latest },
    versions,
    time,
    license: 'MIT',
    readme: '',
  };
  const short = Object.entries(versions).map(([version, all]) => [
    version,
    Object.fromEntries(KEPT.flatMap((key) => (key in all ? [[key, all[key]]] : []))),
  ]);
  const abbreviated = {
    name,
    modified: time['modified'],
    'dist-tags': { latest },
    versions: Object.fromEntries(short),
  };
  return { tarball, full: Buffer.from(JSON.stringify(full)), abbreviated: Buffer.from(JSON.stringify(abbreviated)) };
}

if (import.meta.main) {
  const answers = new Map<string, { body: Buffer; headers: Record<string, string | number> }>();
  const server = createServer((request, response) => {
    const { host = '', accept = '', 'accept-encoding': encodings = '' } = request.headers;
    const base = `http://${host}`;
    const [path = '', file] = decodeURIComponent((request.url as string).slice(1)).split('/-/');
    const sized = PACKAGES.find(({ name }) => name === path);
    if (!sized) {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"Not found"}');
      return;
    }
    const form = file ? 'tarball' : accept.includes('install-v1') ? 'abbreviated' : 'full';
    const gzip = !file && encodings.includes('gzip');
    const key = `${path} ${form} ${gzip} ${host}`;
    let answer = answers.get(key);
    if (!answer) {
      const plain = documentOf(sized, base)[form];
      const body = gzip ? gzipSync(plain) : plain;
      const type = {
        tarball: 'application/octet-stream',
        full: 'application/json',
        abbreviated: 'application/vnd.npm.install-v1+json',
      }[form];
      answer = {
        body,
        headers: {
          'content-type': type,
          'content-length': body.length,
          etag: `"${createHash('md5').update(body).digest('hex')}"`,
          'cache-control': 'public, max-age=300',
          ...(gzip ? { 'content-encoding': 'gzip' } : {}),
          ...(file ? {} : { vary: 'accept, accept-encoding' }),
        },
      };
      answers.set(key, answer);
    }
    if (request.headers['if-none-match'] === answer.headers['etag']) response.writeHead(304, answer.headers).end();
    else response.writeHead(200, answer.headers).end(request.method === 'HEAD' ? undefined : answer.body);
  });
  server.listen(0, '127.0.0.1', () => {
    console.log(JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
  });
  process.once('SIGTERM', () => process.exit(0));
}
