import { classify, isHtml, originOf, type TransportResponse, type Verdict } from '@_all_docs/http';
import { describe, expect, it } from 'vitest';
import { answer, blockPage } from './_answers.ts';

const html = { 'content-type': 'text/html; charset=utf-8' };
const page = '<html></html>';

const TABLE: [string, TransportResponse, Verdict][] = [
  ['a document', answer(200), 'ok'],
  ['unchanged', answer(304, {}, ''), 'ok'],
  ['no such package', answer(404, {}, '{"error":"Not found"}'), 'ok'],
  ['gone', answer(410), 'ok'],
  ['bad token', answer(401), 'ok'],
  ['forbidden, as JSON', answer(403), 'ok'],
  ['for legal reasons', answer(451), 'ok'],
  ['a redirect', answer(302, { location: '/b' }), 'ok'],
  ['too many requests', answer(429), 'throttled'],
  ['too many requests as a page', blockPage(429), 'throttled'],
  ['unavailable until', answer(503, { 'retry-after': '5' }), 'throttled'],
  ['unavailable', answer(503), 'trouble'],
  ['server error', answer(500), 'trouble'],
  ['bad gateway', blockPage(502), 'trouble'],
  ['gateway timeout', answer(504), 'trouble'],
  ['error of the edge', answer(522), 'trouble'],
  ['block page under 200', blockPage(200), 'trouble'],
  ['block page under 403', blockPage(403), 'trouble'],
  ['block page under 404', blockPage(404), 'trouble'],
  ['page named in capitals', answer(404, { 'content-type': 'TEXT/HTML' }, page), 'trouble'],
  ['page as xhtml', answer(200, { 'content-type': 'application/xhtml+xml' }, page), 'trouble'],
  ['page that claims to be JSON', answer(404, {}, page), 'trouble'],
  ['page without a type', { ...answer(404, {}, page), headers: {} }, 'trouble'],
  ['page behind white space that claims to be JSON', answer(404, {}, `\r\n  ${page}`), 'trouble'],
  ['page behind a byte order mark that claims to be JSON', answer(404, {}, `\ufeff${page}`), 'trouble'],
  ['coded page', { ...answer(200, html), encoding: 'gzip' }, 'trouble'],
  ['coded document that begins with <', { ...answer(200, {}, '<'), encoding: 'gzip' }, 'ok'],
  ['empty body without a type', { ...answer(404, {}, ''), headers: {} }, 'ok'],
];

describe('classify', () => {
  it.each(TABLE)('%s', (_, response, verdict) => {
    expect(classify(response)).toBe(verdict);
  });

  it('isHtml looks at type and first byte', () => {
    expect(isHtml(blockPage(200))).toBe(true);
    expect(isHtml(answer(200, {}, '{"readme":"<html>"}'))).toBe(false);
  });
});

describe('originOf', () => {
  it.each([
    ['https://h.example/a/b', 'https://h.example'],
    ['https://h.example:8443/@x%2f..', 'https://h.example:8443'],
    ['https://h.example', 'https://h.example'],
    ['http://h.example//a', 'http://h.example'],
  ])('%s', (url, origin) => {
    expect(originOf(url)).toBe(origin);
  });
});
