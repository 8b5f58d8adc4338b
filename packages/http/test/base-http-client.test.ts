import { BaseHTTPClient, RegistryResponse, webCodec } from '@_all_docs/http';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { answer, codeOf, script } from './_answers.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('RegistryResponse', () => {
  it('is synchronous, and parses once', () => {
    const response = new RegistryResponse(200, { etag: '"1"' }, bytes('{"name":"é"}'));
    expect(response.json()).toEqual({ name: 'é' });
    expect(response.json()).toBe(response.json());
    expect(response.text()).toBe('{"name":"é"}');
    expect([response.statusCode, response.headers, response.ok]).toEqual([200, { etag: '"1"' }, true]);
  });

  it('throws a SyntaxError for what is no JSON, every time', () => {
    const response = new RegistryResponse(200, {}, bytes('{"a":'));
    expect(() => response.json()).toThrow(SyntaxError);
    expect(() => response.json()).toThrow(SyntaxError);
    expect(new RegistryResponse(200, {}, bytes('null')).json()).toBeNull();
  });

  it.each([
    [199, false],
    [200, true],
    [204, true],
    [299, true],
    [300, false],
    [304, false],
    [404, false],
    [500, false],
  ])('ok of %d is %s', (status, ok) => {
    expect(new RegistryResponse(status, {}, new Uint8Array(0)).ok).toBe(ok);
  });
});

describe('BaseHTTPClient', () => {
  it.each([
    ['https://origin.example', '/a', 'https://origin.example/a'],
    ['https://origin.example/', 'a', 'https://origin.example/a'],
    ['https://origin.example/npm/', '/@x%2f..', 'https://origin.example/npm/@x%2f..'],
  ])('appends a path to %s as written', async (origin, path, url) => {
    const transport = script(answer());
    await new BaseHTTPClient({ origin, transport }).request(path);
    expect(transport.requests[0]?.url).toBe(url);
  });

  it('decodes what is coded, and hands over every status', async () => {
    const packed = {
      ...answer(404, { etag: '"x"' }),
      body: gzipSync('{"error":"Not found"}'),
      encoding: 'gzip' as const,
    };
    const client = new BaseHTTPClient({ origin: 'https://origin.example', transport: script(packed) });
    const response = await client.request('/a');
    expect(response.statusCode).toBe(404);
    expect(response.headers['etag']).toBe('"x"');
    expect(response.json()).toEqual({ error: 'Not found' });
  });

  it('passes method, headers, body and signal on, and errors back', async () => {
    const transport = script(answer());
    const { signal } = new AbortController();
    const options = { method: 'POST' as const, headers: { a: 'b' }, body: bytes('{}'), signal };
    await new BaseHTTPClient({ origin: 'https://origin.example', transport }).request('/a', options);
    expect(transport.requests[0]).toEqual({ url: 'https://origin.example/a', ...options });
    const damaged = { ...answer(), encoding: 'gzip' as const };
    expect(
      await codeOf(new BaseHTTPClient({ origin: 'https://origin.example', transport: script(damaged) }).request('/a')),
    ).toBe('ERR_ENCODING');
  });

  it('uses the codec it was given', async () => {
    const codec = { ...webCodec, decode: () => bytes('"mine"') };
    const response = await new BaseHTTPClient({
      origin: 'https://origin.example',
      transport: script(answer()),
      codec,
    }).request('/a');
    expect(response.json()).toBe('mine');
  });
});
