import { FsBlobBackend } from '@_all_docs/worker-node';
import fs from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { collect } from '../../../test/contract/_bytes.ts';
import { temporaryDirectory } from './_directory.ts';

const PATH = 'blobs/ab/abcd';

async function* text(content: string): AsyncIterable<Uint8Array> {
  yield new TextEncoder().encode(content);
}

async function holding(content?: string) {
  const root = await temporaryDirectory();
  const backend = new FsBlobBackend(root);
  if (content !== undefined) await backend.write(PATH, text(content));
  return { root, backend };
}

it('link: the same file under a second name, without a copy; deleting one leaves the other', async () => {
  const [from, to] = [await holding('content'), await holding()];
  expect(to.backend.link(PATH, from.backend)).toBe(true);
  expect(fs.statSync(join(to.root, PATH)).ino).toBe(fs.statSync(join(from.root, PATH)).ino);
  expect(to.backend.link(PATH, from.backend)).toBe(true);
  expect(fs.readdirSync(join(to.root, 'tmp'))).toEqual([]);
  await from.backend.delete(PATH);
  expect(fs.readFileSync(join(to.root, PATH), 'utf8')).toBe('content');
});

it('link: what lies under the name already is replaced', async () => {
  const [from, to] = [await holding('content'), await holding('damaged')];
  expect(to.backend.link(PATH, from.backend)).toBe(true);
  expect(fs.readFileSync(join(to.root, PATH), 'utf8')).toBe('content');
});

it('link: false, and nothing is left, where there is no such blob or the file systems allow no link', async () => {
  const [from, to] = [await holding('content'), await holding()];
  expect(to.backend.link('blobs/ab/other', from.backend)).toBe(false);
  const linkSync = () => {
    throw Object.assign(new Error('EXDEV: cross-device link'), { code: 'EXDEV' });
  };
  expect(new FsBlobBackend(to.root, { fs: { linkSync } }).link(PATH, from.backend)).toBe(false);
  expect(await collect(to.backend.list('blobs/'))).toEqual([]);
  expect(await to.backend.stat(PATH)).toBeUndefined();
});
