import type { Logger } from '@_all_docs/worker';

/**
 * Structured lines on stderr, one JSON object each: failures, and with `level` `info` everything. Nothing is loaded
 * before the first line; lines keep their order.
 */
export function createLogger(level: 'info' | 'warn'): Logger {
  let ready: Promise<(at: Level, message: string, fields?: Record<string, unknown>) => void> | undefined;
  const log =
    (at: Level) =>
    (message: string, fields?: Record<string, unknown>): void => {
      ready ??= open(level);
      void ready.then((write) => write(at, message, fields));
    };
  const atLeast: Logger = { warn: log('warn'), error: log('error') };
  return level === 'info' ? { ...atLeast, info: log('info') } : atLeast;
}

type Level = 'info' | 'warn' | 'error';

async function open(level: Level) {
  const { default: pino } = await import('pino');
  const lines = pino(
    {
      level,
      base: { pid: process.pid },
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    pino.destination({ dest: 2, sync: true }),
  );
  return (at: Level, message: string, fields: Record<string, unknown> = {}) => lines[at](fields, message);
}
