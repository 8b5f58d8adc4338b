import type { Transport } from '@_all_docs/http';
import { PartitionClient } from '@_all_docs/partition';
import { describe, expect, test } from 'vitest';
import { answer, documentOf, replica } from './_replica.ts';

const ORIGIN = 'https://replicate.example.test';

async function listed(names: string[], held: string[] = []) {
  const it = replica({ env: { origin: ORIGIN } });
  const rows = [...names].sort().map((id) => ({ id, key: id, value: { rev: '1-a' } }));
  const transport: Transport = async ({ url }) => {
    const start = JSON.parse(new URL(url).searchParams.get('startkey') ?? '""');
    return answer(JSON.stringify({ total_rows: rows.length, offset: 0, rows: rows.filter(({ id }) => id >= start) }));
  };
  const client = new PartitionClient({ env: { ...it.env, origin: ORIGIN, transport } });
  await client.request({ startKey: null, endKey: null });
  for (const name of held) await it.hold(documentOf(name));
  const search = async (query: string) => {
    const { status, json } = await it.ask(`/npm/-/v1/search?${query}`);
    expect(status).toBe(200);
    return json.objects.map((object: { package: { name: string } }) => object.package.name);
  };
  return { ...it, search };
}

describe('search', () => {
  test('gives the shape that clients read, from held documents', async () => {
    const { ask, hold, origin } = replica();
    await hold(documentOf('@s/express'));
    const { status, headers, json } = await ask('/npm/-/v1/search?text=express&size=20&from=0&quality=0.65');
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('application/json');
    expect(json).toEqual({
      objects: [
        {
          package: {
            name: '@s/express',
            scope: 's',
            version: '1.0.0',
            description: 'what @s/express is for',
            keywords: [],
            date: '2025-01-02T03:04:05.678Z',
            links: {},
            maintainers: [],
          },
          score: { final: 1, detail: { quality: 1, popularity: 1, maintenance: 1 } },
          searchScore: 1,
        },
      ],
      total: 1,
      time: '2025-06-15T15:06:40.000Z',
    });
    expect(origin.asked()).toBe(0);
  });

  test('finds what is listed and what is held, each once, names that begin with the text first', async () => {
    const { search } = await listed(['a-react', 'react', 'react-dom', 'preact', 'vue'], ['react', 'react-native']);
    expect(await search('text=react')).toEqual(['react', 'react-dom', 'react-native', 'a-react', 'preact']);
    expect(await search('text=REACT')).toEqual(['a-react', 'preact', 'react', 'react-dom', 'react-native']);
    expect(await search('text=dom%20react')).toEqual(['react-dom']);
    expect(await search('text=nothing-like-it')).toEqual([]);
  });

  test('gives pages', async () => {
    const names = Array.from({ length: 60 }, (_, i) => `pkg-${String(i).padStart(2, '0')}`);
    const { search } = await listed(names);
    expect(await search('text=pkg')).toEqual(names.slice(0, 20));
    expect(await search('text=pkg&size=5&from=50')).toEqual(names.slice(50, 55));
    expect(await search('text=pkg&size=1000&from=55')).toEqual(names.slice(55));
    expect(await search('text=pkg&size=x&from=-1')).toEqual(names.slice(0, 20));
    expect(await search('text=pkg&size=0')).toEqual([]);
  });

  test.each(['', 'text=', 'text=%20', 'size=3', `text=${'x'.repeat(300)}`])('?%s is a 400', async (query) => {
    const { status, json } = await replica().ask(`/npm/-/v1/search?${query}`);
    expect(status).toBe(400);
    expect(json).toEqual({ code: expect.stringMatching(/^ERR_TEXT_/), error: expect.any(String) });
  });

  test('names that are property names of objects are names like others', async () => {
    const { search } = await listed(['__proto__', 'constructor', 'toString']);
    expect(await search('text=__proto__')).toEqual(['__proto__']);
    expect(await search('text=const')).toEqual(['constructor']);
  });

  test('broken escapes in the query are text like any other', async () => {
    expect((await replica().ask('/npm/-/v1/search?text=%zz%')).status).toBe(200);
  });
});
