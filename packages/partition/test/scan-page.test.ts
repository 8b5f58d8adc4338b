import { compareBytes } from '@_all_docs/cache';
import { type AllDocsRow, type Dropped, inRange, type KeyRange } from '@_all_docs/partition';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { takeRows } from '../src/page.ts';
import { parsePage } from '../src/parse-page.ts';
import { RowTable } from '../src/row-table.ts';
import { scanPage } from '../src/scan-page.ts';
import { row } from './_all-docs-origin.ts';

fc.configureGlobal({ seed: 20250601 });

const utf8 = (text: string) => new TextEncoder().encode(text);

const plain = fc.string({
  unit: fc.constantFrom('a', 'b', '-', '@', '/', "'", '\x7f', 'é', '\u2028', '\ufeff', '\uff5e', '\u{1f600}'),
  maxLength: 4,
});
/** Few enough to meet again, in rows and at the ends of ranges. */
const short = fc.string({ unit: fc.constantFrom('a', 'b', '-'), minLength: 1, maxLength: 2 });
/** Text that JSON spells with escapes, or that UTF-8 cannot carry. */
const escaped = fc.string({ unit: fc.constantFrom('a', '"', '\\', '\n', '\x00', '\ud800', '\udc00'), maxLength: 3 });
const design = plain.map((name) => `_design/${name}`);
const id = fc.oneof(
  { weight: 12, arbitrary: short },
  { weight: 8, arbitrary: plain },
  escaped,
  design,
  fc.constantFrom(null, 5, true, {}),
);

/** How one row is written; most as CouchDB does. */
const spelled = fc.oneof(
  { weight: 20, arbitrary: id.map((name) => JSON.stringify({ id: name, key: name, value: { rev: '1-a' } })) },
  fc.tuple(short, short).map(([name, key]) => JSON.stringify({ id: name, key, value: { rev: key } })),
  plain.map((name) => JSON.stringify({ id: name, key: name, value: { rev: '1-a', deleted: true } })),
  plain.map((name) => JSON.stringify({ key: name, id: name, value: null })),
  plain.map((name) => `{ "id" : ${JSON.stringify(name)}, "key":"k","value":{"rev":"1"}}`),
  fc.constantFrom('{"id":"\\u0061","key":"\\u0061","value":{"rev":"1"}}', '{"id":"a","id":"b"}', 'null', '[]', '', '7'),
);
const between = fc.constantFrom(',', ',', ',\n', ',\r\n', ' ,\t', ';', ',,', '');
const opening = fc.oneof(
  { weight: 8, arbitrary: fc.nat(1e7).map((total) => `{"total_rows":${total},"offset":0,"rows":[`) },
  fc.constantFrom(
    '{"total_rows":01,"offset":0,"rows":[',
    '{"total_rows":1e3,"offset":0,"rows":[',
    '{"total_rows":1e999,"offset":0,"rows":[',
    '{"total_rows":-1,"offset":0,"rows":[',
    '{"total_rows":99999999999999999999,"offset":0,"rows":[',
    '{"total_rows":3,"offset":null,"rows":[',
    '{"total_rows":3,"rows":[',
    '{"offset":0,"rows":[',
    ' {"total_rows":3,"offset":0,"rows":[\n',
    '\ufeff{"total_rows":3,"offset":0,"rows":[',
    '[',
  ),
);
const closing = fc.constantFrom(']}', ']}\n', '\n]}\n', ' ] } ', ']', '}', ',]}', '],"rows":[]}', ']}x', '');
const page = fc
  .tuple(opening, fc.array(spelled, { maxLength: 6 }), fc.boolean(), between, closing)
  .map(([open, rows, ordered, comma, close]) => open + (ordered ? rows.sort() : rows).join(comma) + close);

/** Cut, a byte put in or changed, or each `b` made another byte, in id and key alike: what was text may be none any more. */
const damage = fc.record({
  at: fc.nat(600),
  byte: fc.oneof(fc.nat(255), fc.constantFrom(0x00, 0x1f, 0x80, 0xc3, 0xed, 0xff)),
  act: fc.constantFrom('none', 'none', 'none', 'none', 'cut', 'put', 'set', 'swap', 'swap'),
});

const body = fc.tuple(page, damage).map(([text, harm]) => {
  const bytes = utf8(text);
  if (harm.act === 'none') return bytes;
  if (harm.act === 'swap') return bytes.map((byte) => (byte === 0x62 ? harm.byte : byte));
  const at = Math.min(harm.at, bytes.length);
  if (harm.act === 'cut') return bytes.slice(0, at);
  return Uint8Array.of(...bytes.slice(0, at), harm.byte, ...bytes.slice(harm.act === 'put' ? at : at + 1));
});

const end = fc.option(short, { nil: null });

/** What the rows of a page come to, read as objects one by one. */
function modelOf(bytes: Uint8Array, range: KeyRange, after: string | undefined) {
  let parsed: { total_rows: unknown; rows: AllDocsRow[] };
  try {
    parsed = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return 'ERR_BAD_PAGE';
  }
  if (!Array.isArray(parsed?.rows) || !Number.isFinite(parsed.total_rows)) return 'ERR_BAD_PAGE';
  const dropped: Dropped = { overlap: 0, outside: 0, repeated: 0, foreign: 0 };
  const rows: AllDocsRow[] = [];
  let last = after;
  let passedEnd = false;
  for (const each of parsed.rows) {
    const name: unknown = each?.id;
    if (typeof name !== 'string' || name === '' || !name.isWellFormed() || name.startsWith('_design/'))
      dropped.foreign += 1;
    else if (name === range.endKey) {
      passedEnd = true;
      dropped.overlap += 1;
    } else if (!inRange(name, range)) dropped.outside += 1;
    else if (passedEnd || (last !== undefined && compareBytes(name, last) < 0)) return 'ERR_BAD_PAGE';
    else if (name === last) dropped[rows.length === 0 ? 'overlap' : 'repeated'] += 1;
    else {
      rows.push(each);
      last = name;
    }
  }
  return { total: parsed.total_rows, rows, dropped, passedEnd };
}

function outcomeOf(bytes: Uint8Array, range: KeyRange, after: string | undefined) {
  try {
    const { totalRows, rows: table } = parsePage(bytes);
    const taken = takeRows(table, range, after);
    // What is stored of them is UTF-8, whatever came.
    const rows = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(taken.rows.toJson('[', ']')));
    return { total: totalRows, rows, dropped: taken.dropped, passedEnd: taken.passedEnd };
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

describe('a page of bytes', () => {
  it('comes to the same as one that is parsed: regular or not, cut, damaged, with whatever ids', () => {
    let regular = 0;
    fc.assert(
      fc.property(body, end, end, fc.option(short, { nil: undefined }), (bytes, startKey, endKey, after) => {
        if (scanPage(bytes)) regular += 1;
        const range = { startKey, endKey };
        expect(outcomeOf(bytes, range, after)).toEqual(modelOf(bytes, range, after));
      }),
      { numRuns: 10_000 },
    );
    expect(regular).toBeGreaterThan(500);
  }, 60_000);

  it('is not parsed when CouchDB or the public npm registry wrote it', () => {
    fc.assert(
      fc.property(fc.array(plain), fc.constantFrom(',', ',\n', ',\r\n'), (names, comma) => {
        const rows = names.map((name) => JSON.stringify(row(name)));
        const text = `{"total_rows":4600000,"offset":17,"rows":[\r\n${rows.join(comma)}\n]}\n`;
        const scanned = scanPage(utf8(text));
        expect(scanned?.totalRows).toBe(4_600_000);
        expect(scanned?.rows.toArray()).toEqual(names.map((name) => row(name)));
        expect(scanned && [...scanned.rows].map(({ id }) => id)).toEqual(names);
      }),
    );
  });

  it('may hold more rows than were asked for', () => {
    const names = Array.from({ length: 25_000 }, (_, i) => String(i));
    const text = JSON.stringify({ total_rows: 1, offset: 0, rows: names.map((name) => row(name)) });
    const scanned = scanPage(utf8(text));
    expect(scanned?.rows.length).toBe(25_000);
    expect(scanned?.rows.id(24_999)).toBe('24999');
  });
});

describe('a table of rows', () => {
  const rows = fc.array(
    id.map((name) => ({ ...row('x'), id: name }) as AllDocsRow),
    { maxLength: 12 },
  );
  const tableOf = (list: readonly AllDocsRow[], scanned: boolean) =>
    scanned
      ? parsePage(utf8(JSON.stringify({ total_rows: 0, offset: 0, rows: list.map(({ id }) => row(String(id))) }))).rows
      : RowTable.of(list);
  const lone = (list: readonly AllDocsRow[]) => JSON.parse(JSON.stringify(list));

  it('gives back what it was made of, whole, row by row, any part, and joined to others', () => {
    fc.assert(
      fc.property(rows, rows, fc.boolean(), fc.func(fc.boolean()), (first, second, scanned, chosen) => {
        const [a, b] = [tableOf(first, scanned), tableOf(second, scanned)];
        const all = a.toArray();
        if (!scanned) expect(all).toEqual(lone(first));
        expect([...a]).toEqual(all);
        for (const i of [-all.length - 1, -1, 0, all.length - 1, all.length]) expect(a.at(i)).toEqual(all.at(i));
        const places = all.flatMap((_, i) => (chosen(i) ? [i] : []));
        const some = a.pick(Uint32Array.from(places));
        expect(some.toArray()).toEqual(places.map((i) => all[i]));
        const joined = RowTable.concat([some, b, a.slice(1, a.length), RowTable.of(second)]);
        expect(joined.toArray()).toEqual([...some, ...b, ...all.slice(1), ...lone(second)]);
        const names = joined.toArray().map(({ id }) => (typeof id === 'string' && id.isWellFormed() ? id : ''));
        expect(names.map((_, i) => joined.id(i))).toEqual(names);
      }),
    );
  });

  it('has the order of UTF-8 bytes', () => {
    fc.assert(
      fc.property(plain, plain, fc.boolean(), (a, b, scanned) => {
        const table = tableOf([row(a), row(b)], scanned);
        expect(Math.sign(table.compareIds(0, 1))).toBe(compareBytes(a, b));
        expect(Math.sign(table.compareId(0, utf8(b)))).toBe(compareBytes(a, b));
        expect(table.idStartsWith(0, utf8(b))).toBe(a.startsWith(b));
        expect(table.hasId(0)).toBe(a !== '');
      }),
    );
  });
});
