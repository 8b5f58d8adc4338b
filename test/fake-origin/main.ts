import { parseArgs } from 'node:util';
import { checkRules } from './rule-check.ts';
import { startFakeOrigin } from './server.ts';
import type { FakeOriginOptions } from './types.ts';

const USAGE = `usage: node main.ts --packages N [--port 0] [--seed 1] [--latency MS] [--sizes small|long-tail]
  [--tarballs pool|named] [--tarball-bytes N] [--signatures noise|real] [--attestations] [--page-limit N] [--faults JSON]`;

const OPTIONS = {
  packages: { type: 'string' },
  port: { type: 'string', default: '0' },
  seed: { type: 'string', default: '1' },
  latency: { type: 'string', default: '0' },
  sizes: { type: 'string', default: 'long-tail' },
  tarballs: { type: 'string', default: 'pool' },
  'tarball-bytes': { type: 'string', default: '0' },
  signatures: { type: 'string', default: 'noise' },
  attestations: { type: 'boolean', default: false },
  'page-limit': { type: 'string', default: '10000' },
  faults: { type: 'string', default: '[]' },
} as const;

const fake = await startFakeOrigin(readOptions()).catch((error: Error) => fail(error.message, 1));
process.stdout.write(`${JSON.stringify({ type: 'listening', url: fake.url, packages: fake.count })}\n`);
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void fake.close().then(() => process.exit(0)));
}

function readOptions(): FakeOriginOptions {
  try {
    const { values } = parseArgs({ options: OPTIONS, strict: true });
    return {
      packages: wholeNumber('packages', values.packages),
      port: wholeNumber('port', values.port),
      seed: wholeNumber('seed', values.seed),
      latencyMs: wholeNumber('latency', values.latency),
      sizes: oneOf('sizes', values.sizes, ['small', 'long-tail']),
      tarballs: oneOf('tarballs', values.tarballs, ['pool', 'named']),
      tarballBytes: wholeNumber('tarball-bytes', values['tarball-bytes']),
      signatures: oneOf('signatures', values.signatures, ['noise', 'real']),
      attestations: values.attestations,
      pageLimit: wholeNumber('page-limit', values['page-limit']),
      faults: checkRules(JSON.parse(values.faults)),
    };
  } catch (error) {
    return fail(`${(error as Error).message}\n${USAGE}`, 2);
  }
}

function wholeNumber(flag: string, text: string | undefined): number {
  if (!/^\d{1,9}$/.test(text ?? '')) throw new TypeError(`--${flag} needs a whole number`);
  return Number(text);
}

function oneOf<T extends string>(flag: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((known) => known === text);
  if (choice === undefined) throw new TypeError(`--${flag} needs one of ${choices.join(', ')}`);
  return choice;
}

function fail(message: string, code: number): never {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}
