import { describe, expect, it } from 'vitest';
import { get, start, Wire } from './_server.js';

const parts = {
  handle: async () => new Response('0123456789', { headers: { 'content-length': '10' } }),
  hot: (_: string, target: string) =>
    target === '/npm/hot' ? { status: 304, headers: [], body: undefined } : undefined,
  stats: () => ({ origin: { requests: 7, inFlight: 2 }, notModified: 3, missing: ['a'] }),
};

/** Samples by name with labels. */
function samples(text: string): Record<string, number> {
  const lines = text
    .trimEnd()
    .split('\n')
    .filter((line) => !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

describe('/metrics', () => {
  it('counts answers by route and status, from memory and not, and what the registry counts', async () => {
    const { url, port } = await start(parts);
    for (const path of [
      '/npm/a',
      '/npm/@s%2fn',
      '/npm/a/-/a-1.0.0.tgz',
      '/a/-/a-1.0.0.tgz',
      '/npm/-/ping',
      '/npm/-/v1/search?text=x',
      '/npm/-/package/a/dist-tags',
      '/npm/-/npm/v1/keys',
      '/npm/-/npm/v1/attestations/a@1.0.0',
      '/elsewhere',
      '/health',
      '/metrics',
    ])
      await (await fetch(url + path)).arrayBuffer();
    await new Wire(port).send(get('/npm/hot', 'connection: close')).all();
    await new Wire(port).send('noise\r\n\r\n').all();
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const text = await response.text();
    const total = (route: string, status = 200) =>
      samples(text)[`all_docs_http_requests_total{route="${route}",status="${status}"}`];
    expect({
      packument: total('packument'),
      notModified: total('packument', 304),
      tarball: total('tarball'),
      ping: total('ping'),
      search: total('search'),
      tags: total('dist-tags'),
      keys: total('keys'),
      attestations: total('attestations'),
      other: total('other'),
      operations: total('operations'),
      malformed: total('malformed', 400),
    }).toEqual({
      packument: 2,
      notModified: 1,
      tarball: 2,
      ping: 1,
      search: 1,
      tags: 1,
      keys: 1,
      attestations: 1,
      other: 1,
      operations: 2,
      malformed: 1,
    });
    expect(samples(text)).toMatchObject({
      all_docs_http_hot_answers_total: 1,
      all_docs_http_aborted_total: 0,
      all_docs_http_cut_total: 0,
      all_docs_http_requests_in_flight: 1,
      all_docs_registry_origin_requests_total: 7,
      all_docs_registry_origin_in_flight: 2,
      all_docs_registry_not_modified_total: 3,
      all_docs_workers: 1,
      all_docs_worker_restarts_total: 0,
    });
    expect(samples(text)['all_docs_http_response_bytes_total']).toBeGreaterThan(110);
    expect(samples(text)['process_resident_memory_bytes']).toBeGreaterThan(10_000_000);
    expect(samples(text)['process_start_time_seconds']).toBeGreaterThan(1.7e9);
  });

  it('is text that Prometheus reads: each sample after its help and type, no line twice', async () => {
    const { url } = await start(parts);
    await fetch(`${url}/npm/a`);
    const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n');
    expect(lines.pop()).toBe('');
    expect(new Set(lines).size).toBe(lines.length);
    let family = '';
    for (const line of lines) {
      const declared = /^# (?:HELP|TYPE) ([a-z_:][a-z\d_:]*) \S/i.exec(line)?.[1];
      if (declared) family = declared;
      else expect(line).toMatch(new RegExp(`^${family}(\\{[a-z]+="[^"\\\\]*"(,[a-z]+="[^"\\\\]*")*\\})? [\\d.e+-]+$`));
    }
  });
});

describe('/-/status.json', () => {
  it('says what is served, how it goes and what the registry says of itself', async () => {
    const { url } = await start(parts, { about: () => ({ registry: 'https://registry.example.test' }) });
    await fetch(`${url}/npm/a`);
    expect(await (await fetch(`${url}/-/status.json`)).json()).toMatchObject({
      version: expect.stringMatching(/^\d+\./),
      state: 'ready',
      registry: 'https://registry.example.test',
      uptimeSeconds: expect.any(Number),
      workers: 1,
      restarts: 0,
      requests: { 'packument 200': 1 },
      inFlight: 1,
      counters: { origin: { requests: 7 }, missing: ['a'] },
    });
  });
});

describe('the paths of the server', () => {
  it.each(['/health', '/livez', '/readyz', '/metrics', '/-/status.json'])(
    '%s is never kept by a cache, and HEAD has no body',
    async (path) => {
      const { url } = await start(parts);
      const response = await fetch(url + path, { method: 'HEAD' });
      expect(response.status).toBe(200);
      expect(response.headers.get('cache-control')).toBe('no-store');
      expect(Number(response.headers.get('content-length'))).toBeGreaterThan(0);
      expect(await response.text()).toBe('');
    },
  );

  it('are exactly these: what lies below them belongs to packages', async () => {
    const { url } = await start(parts);
    for (const path of ['/health/-/health-1.0.0.tgz', '/npm/health', '/metrics/', '//health', '/Health'])
      expect(await (await fetch(url + path)).text()).toBe('0123456789');
  });
});
