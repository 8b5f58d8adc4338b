import { ChangesClient, type ChangesError } from '@_all_docs/changes';
import type { HttpError, TransportResponse } from '@_all_docs/http';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { FeedOrigin, json, ORIGIN } from './_feed-origin.ts';

const clientSaying = (answer: TransportResponse) =>
  new ChangesClient({ env: { origin: ORIGIN, transport: async () => answer } });
const pageOf = (body: unknown, since = 10) => clientSaying(json(JSON.stringify(body))).page(since);
const row = (seq: unknown, id: unknown, rev: unknown = '1-a') => ({ seq, id, changes: [{ rev }] });
const codeOf = (error: unknown) => (error as ChangesError | HttpError).code;
const failing = async (work: Promise<unknown>) => codeOf(await work.catch((error: unknown) => error));

describe('page', () => {
  it('gives the changes above a sequence, and asks for nothing that npm refuses', async () => {
    const origin = new FeedOrigin(100);
    for (const name of ['a', 'b', 'c']) origin.publish(name);
    origin.publish('a', true);
    const urls: string[] = [];
    const client = new ChangesClient({
      env: {
        origin: `${ORIGIN}/`,
        transport: (request) => {
          urls.push(request.url);
          return origin.transport(request);
        },
      },
    });
    const { changes, lastSeq, rows } = await client.page(102, { limit: 2 });
    expect(changes).toEqual([
      { seq: 104, name: 'b', rev: '1-b', deleted: false },
      { seq: 106, name: 'c', rev: '1-c', deleted: false },
    ]);
    expect([lastSeq, rows]).toEqual([106, 2]);
    expect((await client.page(106)).changes).toEqual([{ seq: 108, name: 'a', rev: '2-a', deleted: true }]);
    expect(urls).toEqual([`${ORIGIN}/_changes?since=102&limit=2`, `${ORIGIN}/_changes?since=106&limit=10000`]);
  });

  it('reads a compressed page', async () => {
    const plain = json(JSON.stringify({ results: [row(11, 'a')], last_seq: 11 }));
    const page = await clientSaying({ ...plain, body: gzipSync(plain.body), encoding: 'gzip' }).page(10);
    expect(page.changes).toHaveLength(1);
  });

  it('reads sequences that are strings of digits', async () => {
    const page = await pageOf({
      results: [row('11', 'a'), row('9007199254740991', 'b')],
      last_seq: '9007199254740991',
    });
    expect(page.changes.map(({ seq }) => seq)).toEqual([11, Number.MAX_SAFE_INTEGER]);
    expect(page.lastSeq).toBe(Number.MAX_SAFE_INTEGER);
  });

  it.each([
    ['a null id', { ...row(11, null) }, 'noId', 0],
    ['no id', { seq: 11, changes: [{ rev: '1-a' }] }, 'noId', 0],
    ['an empty id', row(11, ''), 'noId', 0],
    ['an id that UTF-8 cannot carry', row(11, '\ud800'), 'noId', 0],
    ['a design document', row(11, '_design/app'), 'design', 0],
    ['a null rev', row(11, 'a', null), 'nullRev', 1],
    ['no changes', { seq: 11, id: 'a' }, 'nullRev', 1],
    ['null among the changes', { seq: 11, id: 'a', changes: [null] }, 'nullRev', 1],
    ['no sequence', { id: 'a', changes: [{ rev: '1-a' }] }, 'badSeq', 0],
    ['a sequence that is a fraction', row(11.5, 'a'), 'badSeq', 0],
    ['a sequence below zero', row(-1, 'a'), 'badSeq', 0],
    ['an opaque sequence', row('11-g1AAAA', 'a'), 'badSeq', 0],
    ['a sequence too large to be exact', row('9007199254740993', 'a'), 'badSeq', 0],
    ['a row at since', row(10, 'a'), 'notAbove', 0],
    ['a row below since', row(4, 'a'), 'notAbove', 0],
    ['null for a row', null, 'unknownShape', 0],
    ['a text for a row', 'a', 'unknownShape', 0],
    ['a list for a row', [11, 'a'], 'unknownShape', 0],
  ])('counts %s and goes on', async (_, odd, kind, kept) => {
    const { changes, dropped } = await pageOf({ results: [odd, row(12, 'z')], last_seq: 12 });
    expect(changes.map(({ name }) => name)).toEqual(kept ? ['a', 'z'] : ['z']);
    expect(dropped[kind as 'noId']).toBe(1);
  });

  it('passes over fields that it does not know', async () => {
    const results = [{ ...row(11, 'a'), pending: 3, doc: { _id: 'b' } }];
    const { changes, dropped } = await pageOf({ results, last_seq: 11, pending: 0, extra: [] });
    expect(changes).toEqual([{ seq: 11, name: 'a', rev: '1-a', deleted: false }]);
    expect(Object.values(dropped).every((count) => count === 0)).toBe(true);
  });

  it('takes nothing but true for deleted', async () => {
    const results = [true, 'true', 1, null].map((deleted, i) => ({ ...row(11 + i, `n${i}`), deleted }));
    const { changes } = await pageOf({ results, last_seq: 20 });
    expect(changes.map(({ deleted }) => deleted)).toEqual([true, false, false, false]);
  });

  it('sorts rows that are out of order, and says how many were', async () => {
    const { changes, dropped } = await pageOf({ results: [row(15, 'c'), row(11, 'a'), row(13, 'b')], last_seq: 15 });
    expect(changes.map(({ seq }) => seq)).toEqual([11, 13, 15]);
    expect(dropped.unordered).toBe(1);
  });

  it('keeps the latest row of a name that comes again', async () => {
    const results = [row(11, 'a', '1-a'), row(12, 'b'), row(13, 'a', '2-a'), row(13, 'a', '2-a')];
    const { changes, dropped } = await pageOf({ results, last_seq: 13 });
    expect(changes.map(({ name, rev }) => [name, rev])).toEqual([
      ['b', '1-a'],
      ['a', '2-a'],
    ]);
    expect(dropped.duplicate).toBe(2);
  });

  it('keeps names that are properties of every object apart', async () => {
    const names = ['__proto__', 'constructor', 'toString', '-', '@x/..'];
    const { changes } = await pageOf({ results: names.map((name, i) => row(11 + i, name)), last_seq: 15 });
    expect(changes.map(({ name }) => name)).toEqual(names);
  });

  it('tells a last_seq below a row, or below since', async () => {
    expect((await pageOf({ results: [row(12, 'a')], last_seq: 11 })).dropped.lowLastSeq).toBe(1);
    const low = await pageOf({ results: [], last_seq: 3 });
    expect([low.lastSeq, low.dropped.lowLastSeq]).toEqual([3, 1]);
  });

  it.each([
    ['nothing', ''],
    ['null', 'null'],
    ['a list', '[]'],
    ['no results', '{"last_seq":12}'],
    ['results that are no list', '{"results":{},"last_seq":12}'],
    ['no last_seq', '{"results":[]}'],
    ['an opaque last_seq', '{"results":[],"last_seq":"12-g1AA"}'],
    ['a page that was cut', '{"results":[{"seq":11,"id":"a","changes":[{"rev":"1-a"}]},{"seq":1'],
  ])('refuses %s with ERR_BAD_PAGE', async (_, body) => {
    expect(await failing(clientSaying(json(body)).page(10))).toBe('ERR_BAD_PAGE');
  });

  it('refuses damaged UTF-8 and damaged gzip with ERR_BAD_PAGE', async () => {
    const body = new TextEncoder().encode('{"results":[{"seq":11,"id":"a_","changes":[]}],"last_seq":11}');
    body[body.indexOf(0x5f)] = 0xff;
    expect(await failing(clientSaying({ ...json(''), body }).page(10))).toBe('ERR_BAD_PAGE');
    const cut = gzipSync(body).subarray(0, 30);
    expect(await failing(clientSaying({ ...json(''), body: cut, encoding: 'gzip' }).page(10))).toBe('ERR_BAD_PAGE');
  });

  it.each([
    [429, 'ERR_RATE_LIMITED'],
    [500, 'ERR_FETCH_FAILED'],
    [404, 'ERR_NOT_REGISTRY'],
    [400, 'ERR_NOT_REGISTRY'],
  ])('takes a status %i for no page: %s', async (status, code) => {
    expect(await failing(clientSaying(json('{"results":[],"last_seq":12}', status)).page(10))).toBe(code);
  });

  it('takes a block page under 200 for no page', async () => {
    const html = { ...json('<html>no</html>'), headers: { 'content-type': 'text/html' } };
    expect(await failing(clientSaying(html).page(10))).toBe('ERR_BLOCKED');
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 53])('refuses to ask since %d', async (since) => {
    expect(await failing(pageOf({}, since))).toBe('ERR_BAD_SEQUENCE');
  });

  it.each([0, 10_001, 2.5])('refuses to ask for %d rows', async (limit) => {
    expect(await failing(clientSaying(json('')).page(10, { limit }))).toBe('ERR_BAD_LIMIT');
  });
});

describe('info', () => {
  it('gives the count and the sequence, also as a string', async () => {
    const client = clientSaying(json('{"db_name":"registry","doc_count":7,"update_seq":"42"}'));
    expect(await client.info()).toEqual({ docCount: 7, updateSeq: 42 });
  });

  it.each(['', 'null', '[]', '{"doc_count":7}', '{"doc_count":7,"update_seq":"42-x"}'])(
    'refuses %j with ERR_BAD_PAGE',
    async (body) => expect(await failing(clientSaying(json(body)).info())).toBe('ERR_BAD_PAGE'),
  );
});
