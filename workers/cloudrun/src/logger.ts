import type { Logger } from '@_all_docs/worker';

export interface CloudLoggerOptions {
  /** Where lines go; one JSON object each. */
  write(line: string): void;
  clock: { now(): number };
}

const SEVERITIES = { debug: 'DEBUG', info: 'INFO', warn: 'WARNING', error: 'ERROR' } as const;

/** Lines as Cloud Logging reads them from a container's output: `severity`, `message`, `time`, and the fields. */
export function createCloudLogger({ write, clock }: CloudLoggerOptions): Required<Logger> {
  const log =
    (level: keyof typeof SEVERITIES) =>
    (message: string, fields: Record<string, unknown> = {}): void => {
      const { method, path, status, bytes, ms, remote, userAgent, ...rest } = fields;
      // An answer's line: Cloud Logging shows these fields as a request.
      const httpRequest =
        method === undefined
          ? undefined
          : {
              requestMethod: method,
              requestUrl: path,
              status,
              responseSize: String(bytes),
              latency: `${Number(ms) / 1000}s`,
              remoteIp: remote,
              userAgent,
            };
      const said = httpRequest ? { httpRequest, ...rest } : fields;
      write(
        `${JSON.stringify({ severity: SEVERITIES[level], message, time: new Date(clock.now()).toISOString(), ...said })}\n`,
      );
    };
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * The trace that a request belongs to, in the fields by which Cloud Logging finds it: from `traceparent` (W3C Trace
 * Context), else from `X-Cloud-Trace-Context`. Nothing without a project or a trace.
 */
export function traceFields(headers: Headers, project: string | undefined): Record<string, unknown> {
  if (project === undefined) return {};
  const w3c = /^00-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})$/.exec(String(headers['traceparent'] ?? ''));
  const own = /^([\da-f]{32})(?:\/(\d{1,20}))?(?:;o=(\d))?/i.exec(String(headers['x-cloud-trace-context'] ?? ''));
  const [trace, span, sampled] = w3c
    ? [w3c[1], w3c[2], (Number.parseInt(w3c[3] as string, 16) & 1) === 1]
    : [own?.[1], own?.[2] && BigInt(own[2]).toString(16).padStart(16, '0'), own?.[3] === '1'];
  if (trace === undefined) return {};
  return {
    'logging.googleapis.com/trace': `projects/${project}/traces/${trace}`,
    ...(span ? { 'logging.googleapis.com/spanId': span } : {}),
    'logging.googleapis.com/trace_sampled': sampled,
  };
}
