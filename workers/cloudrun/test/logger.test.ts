import { createCloudLogger, traceFields } from '@_all_docs/worker-cloudrun';
import { describe, expect, it } from 'vitest';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

describe('a log line for Cloud Logging', () => {
  it('has severity, message, time and fields, one object a line', () => {
    const lines: string[] = [];
    const logger = createCloudLogger({ write: (line) => void lines.push(line), clock: { now: () => 0 } });
    logger.warn('it\nbroke', { path: '/x' });
    logger.error('worse');
    expect(lines.map((line) => line.split('\n').length)).toEqual([2, 2]);
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { severity: 'WARNING', message: 'it\nbroke', time: '1970-01-01T00:00:00.000Z', path: '/x' },
      { severity: 'ERROR', message: 'worse', time: '1970-01-01T00:00:00.000Z' },
    ]);
  });

  it('of an answer is a request in its words', () => {
    let line = '';
    const logger = createCloudLogger({
      write: (text) => {
        line = text;
      },
      clock: { now: () => 0 },
    });
    logger.info('request', {
      method: 'GET',
      path: '/npm/a',
      status: 200,
      bytes: 5,
      ms: 1.5,
      remote: '::1',
      userAgent: 'x',
      other: 1,
    });
    expect(JSON.parse(line)).toMatchObject({
      severity: 'INFO',
      other: 1,
      httpRequest: { requestMethod: 'GET', requestUrl: '/npm/a', status: 200, responseSize: '5', latency: '0.0015s' },
    });
  });

  it('of trouble has its status as it is, and is no request', () => {
    let line = '';
    const write = (text: string) => {
      line = text;
    };
    createCloudLogger({ write, clock: { now: () => 0 } }).warn('no answer', { target: '/npm/a', status: 502 });
    expect(JSON.parse(line)).toMatchObject({ severity: 'WARNING', target: '/npm/a', status: 502 });
    expect(JSON.parse(line)).not.toHaveProperty('httpRequest');
  });

  it.each([
    [{ traceparent: `00-${TRACE}-00f067aa0ba902b7-01` }, TRACE, '00f067aa0ba902b7', true],
    [{ 'x-cloud-trace-context': `${TRACE}/123;o=1` }, TRACE, '000000000000007b', true],
    [{ 'x-cloud-trace-context': TRACE }, TRACE, undefined, false],
  ])('belongs to the trace of %o', (headers, trace, span, sampled) => {
    expect(traceFields(headers, 'project')).toEqual({
      'logging.googleapis.com/trace': `projects/project/traces/${trace}`,
      ...(span ? { 'logging.googleapis.com/spanId': span } : {}),
      'logging.googleapis.com/trace_sampled': sampled,
    });
  });

  it.each([{}, { traceparent: 'x' }, { 'x-cloud-trace-context': 'short/1' }])('belongs to none with %o', (headers) => {
    expect(traceFields(headers, 'project')).toEqual({});
  });
});
