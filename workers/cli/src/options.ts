import { InvalidArgumentError, Option } from 'commander';

export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('It must be a whole number from 1.');
  return value;
}

/** Requests a second; `0` means no limit of our own. */
function parseRate(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('It must be a number of requests a second, or 0 for no limit.');
  return value === 0 ? Number.POSITIVE_INFINITY : value;
}

export const cacheOption = () =>
  new Option('--cache <dir>', "directory of the replica (default: the platform's cache folder)").env('ALL_DOCS_CACHE');
export const originOption = () =>
  new Option('--origin <url>', 'replication host: lists names (default: derived for the public npm registry)').env(
    'ALL_DOCS_ORIGIN',
  );
export const registryOption = () =>
  new Option('--registry <url>', "registry: serves packuments (default: npm's own configuration)").env(
    'ALL_DOCS_REGISTRY',
  );
export const jsonOption = () => new Option('--json', 'events as NDJSON on stdout');
export const formOption = () =>
  new Option('--form <form>', 'which form of a packument is kept').choices(['full', 'abbreviated']).default('full');
export const checkOption = () =>
  new Option('--check <check>', 'how closely a packument is looked at before it is kept')
    .choices(['length', 'crc', 'parse'])
    .default('crc');
/** Where the blobs lie, for commands that look after them. */
export const blobsOption = () =>
  new Option('--storage <dir>', "directory of the blobs (default: the replica's)")
    .env('ALL_DOCS_STORAGE')
    .argParser(directory);

function directory(text: string): string {
  if (!/^[a-z][a-z\d+.-]+:\/\//i.test(text)) return text;
  throw new InvalidArgumentError(
    'Only serve keeps blobs in a bucket, which its collector looks after; give a directory.',
  );
}

/** How a directory is written to: what a new one becomes, and what stored entries survive. */
export const storageOptions = (): Option[] => [
  new Option('--store <kind>', "how bodies of a new replica are kept: npm's cache format, or one SQLite file")
    .env('ALL_DOCS_STORE')
    .choices(['cacache', 'sqlite']),
  new Option('--durability <level>', 'what stored entries survive: the end of the process, or a power cut too')
    .env('ALL_DOCS_DURABILITY')
    .choices(['process', 'power']),
];

/** Flags of every command that asks an origin, in the order in which they are shown. */
export const networkOptions = (): Option[] => [
  originOption(),
  registryOption(),
  cacheOption(),
  new Option('--concurrency <n>', 'requests in flight at once')
    .env('ALL_DOCS_CONCURRENCY')
    .argParser(wholeNumber)
    .default(10),
  new Option('--rate <n>', 'requests a second, 0 for no limit').env('ALL_DOCS_RATE').argParser(parseRate).default(20),
  new Option('--budget <n>', 'requests a month (default: 5,000,000 on the public npm registry, as its terms say)')
    .env('ALL_DOCS_BUDGET')
    .argParser(wholeNumber),
  ...storageOptions(),
  new Option('--contact <text>', 'how to reach you, for the User-Agent').env('ALL_DOCS_CONTACT'),
];
