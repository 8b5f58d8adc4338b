import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { hashText, mix, random } from './hash.ts';
import type { Prose } from './prose.ts';

const VARIANTS = 128;

export interface Tarball {
  bytes: Buffer;
  integrity: string;
  /** `"shasum":…,"integrity":…,"fileCount":…,"unpackedSize":…`, as it stands in `dist`. */
  distText: string;
}

/** The tarball of a version: always the same bytes for the same arguments, digests included. */
export type TarballSource = (name: string, version: string) => Tarball;

/**
 * One of a few tarballs, so that rendering a document of thousands of versions computes no digest. `size`: about so many
 * bytes each, where it is more than they have anyway.
 */
export function pooledTarballs(seed: number, prose: Prose, size = 0): TarballSource {
  const pool: (Tarball | undefined)[] = [];
  return (name, version) => {
    const k = mix(hashText(name, seed) + hashText(version, seed)) % VARIANTS;
    const tarball = pool[k] ?? makeTarball(`fake-variant-${k}`, '1.0.0', mix(seed + k), prose, size);
    pool[k] = tarball;
    return tarball;
  };
}

/** A tarball of its own for every version. */
export function namedTarballs(seed: number, prose: Prose, size = 0): TarballSource {
  return (name, version) => makeTarball(name, version, hashText(`${name}@${version}`, seed), prose, size);
}

function makeTarball(name: string, version: string, hash: number, prose: Prose, size: number): Tarball {
  const comment = prose.text(hash, 200 + (hash % 3000)).replaceAll('\\n', '\n// ');
  const files: [string, string][] = [
    ['package/package.json', `${JSON.stringify({ name, version, main: 'index.js', bin: './cli.js' }, null, 2)}\n`],
    ['package/index.js', `'use strict';\n// ${comment}\nmodule.exports = ${hash};\n`],
    ['package/cli.js', "#!/usr/bin/env node\nconsole.log(require('./index.js'));\n"],
  ];
  if (size > 0) files.push(['package/filler.txt', filler(hash, size)]);
  const unpacked = files.reduce((sum, [, text]) => sum + Buffer.byteLength(text), 0);
  const bytes = gzipSync(tar(files), { level: 6 });
  const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
  return { bytes, integrity, distText: distText(bytes, integrity, files.length, unpacked) };
}

/** Text that gzip makes about `size` bytes of: random digits in base64, of which it saves a quarter. */
function filler(hash: number, size: number): string {
  const next = random(hash);
  const words = Uint32Array.from({ length: Math.ceil(size / 4) }, () => next() * 2 ** 32);
  return Buffer.from(words.buffer).toString('base64');
}

function distText(bytes: Buffer, integrity: string, fileCount: number, unpackedSize: number): string {
  const shasum = createHash('sha1').update(bytes).digest('hex');
  return `"shasum":"${shasum}","integrity":"${integrity}","fileCount":${fileCount},"unpackedSize":${unpackedSize}`;
}

function tar(files: readonly [string, string][]): Buffer {
  const blocks = files.flatMap(([path, text]) => {
    const content = Buffer.from(text);
    return [header(path, content.length), content, Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** A ustar header; the time is the one that npm gives every file. */
function header(path: string, size: number): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, '0')}\0`;
  block.write(path, 0);
  block.write(octal(path.endsWith('cli.js') ? 0o755 : 0o644, 8), 100);
  block.write(octal(0, 8) + octal(0, 8), 108);
  block.write(octal(size, 12), 124);
  block.write(octal(499162500, 12), 136);
  block.write('        0', 148);
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}
