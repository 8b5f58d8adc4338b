import { Governor, withRetry } from '@_all_docs/http';
import { type PushEvent, type PushResult, priceOf, pushReplica } from '@_all_docs/worker-cloudflare/push';
import { createUndiciTransport, type NodeEnv, systemClock, VERSION } from '@_all_docs/worker-node';
import { Command, Option } from 'commander';
import { CliError, EXIT } from '../exit.js';
import type { Io } from '../io.js';
import { type EnvFlags, withEnv } from '../open-env.js';
import { cacheOption, jsonOption, originOption, registryOption } from '../options.js';
import { formatBytes, formatNumber } from '../output/format.js';
import { readWranglerConfig } from '../wrangler-config.js';

interface Flags extends EnvFlags {
  to: 'cloudflare';
  account?: string;
  namespace?: string;
  bucket?: string;
  config?: string;
  environment?: string;
  worker?: string;
  plan?: boolean;
  json?: boolean;
}

/** Cloudflare's API takes 1,200 requests in five minutes. */
const PACE = { concurrency: 4, rate: 3.9 };

export function pushCommand(io: Io): Command {
  const command = new Command('push').description(
    'Send what differs of a replica to the edge: documents, tarballs, listing and feed',
  );
  command
    .addOption(new Option('--to <host>', 'where to').choices(['cloudflare']).makeOptionMandatory())
    .addOption(new Option('--account <id>', 'the account (default: of --config)').env('CLOUDFLARE_ACCOUNT_ID'))
    .addOption(new Option('--namespace <id>', 'the KV namespace bound as PACKUMENTS (default: of --config)'))
    .addOption(new Option('--bucket <name>', 'the R2 bucket bound as BLOBS (default: of --config)'))
    .addOption(new Option('--config <file>', "the worker's wrangler.jsonc, which says where its bindings are"))
    .addOption(new Option('--environment <name>', 'one of the environments in it'))
    .addOption(
      new Option('--worker <url>', 'where the worker is: it takes listing and feed, with WORK_SECRET').env(
        'ALL_DOCS_WORKER',
      ),
    )
    .addOption(new Option('--plan', 'say what would be sent, and what it costs; send nothing'));
  for (const option of [originOption(), registryOption(), cacheOption(), jsonOption()]) command.addOption(option);
  command.addHelpText(
    'after',
    '\nSecrets come from the environment: CLOUDFLARE_API_TOKEN; WORK_SECRET for --worker; AWS_ACCESS_KEY_ID and\nAWS_SECRET_ACCESS_KEY (of an R2 API token) where tarballs, or documents over 25 MiB, are sent.\n',
  );
  return command.action(async (flags: Flags) => {
    process.exitCode = await withEnv(flags, io, (env) => run(flags, env, io));
  });
}

async function run(flags: Flags, env: NodeEnv, io: Io): Promise<number> {
  const { json = false, plan = false } = flags;
  const target = targetOf(flags, io);
  const { random = Math.random } = env;
  const sockets = createUndiciTransport({ userAgent: `_all_docs/${VERSION}`, connections: PACE.concurrency });
  const governor = new Governor({ clock: systemClock, random, ...PACE });
  const transport = withRetry(governor.wrap(sockets.transport), { clock: systemClock, random });
  const tell = ({ type, kind, ...counts }: PushEvent) => {
    if (json) io.out(`${JSON.stringify({ type, kind, done: counts.looked, ...counts })}\n`);
    else io.err(`${kind}: ${formatNumber(counts.looked)} compared, ${formatNumber(counts.sent)} differ\n`);
  };
  try {
    const result = await pushReplica(
      { ...env, ordered: env.storage.ordered, transport },
      { ...target, plan, signal: io.signal },
      tell,
    );
    const exitCode = result.waiting + result.tarballs.missing > 0 ? EXIT.incomplete : EXIT.done;
    if (json)
      io.out(
        `${JSON.stringify({ type: plan ? 'plan' : 'done', exitCode, ...result, ...(plan && priceOf(result)) })}\n`,
      );
    else io.out(describe(result, plan));
    return exitCode;
  } finally {
    await target.close();
    await sockets.close();
  }
}

function targetOf({ account, namespace, bucket, config, environment, worker }: Flags, io: Io) {
  const said = config === undefined ? undefined : readWranglerConfig(config, environment);
  const { CLOUDFLARE_API_TOKEN: token, CLOUDFLARE_API_BASE_URL: api, WORK_SECRET: secret } = io.env;
  const needed = (value: string | undefined, what: string, how: string): string => {
    if (value) return value;
    throw new CliError('ERR_USAGE', `${what} is not known; give ${how}`);
  };
  if (worker !== undefined && !secret)
    throw new CliError(
      'ERR_USAGE',
      "the worker's secret is not known; give it in WORK_SECRET, as wrangler secret put has it",
    );
  const id = needed(account ?? said?.account, 'the account', '--account, or CLOUDFLARE_ACCOUNT_ID');
  const name = bucket ?? said?.bucket;
  const opened = openBucket(id, name, io);
  return {
    account: id,
    namespace: needed(namespace ?? said?.namespace, 'the KV namespace', '--namespace, or --config with its id in it'),
    token: needed(token, 'the token', 'CLOUDFLARE_API_TOKEN'),
    api,
    ...opened,
    ...(worker !== undefined && { worker: { url: worker, secret: secret as string } }),
  };
}

/** R2 by its S3 API; nothing is opened before something goes there. */
function openBucket(account: string, name: string | undefined, io: Io) {
  let bucket: Promise<import('@_all_docs/worker-node/object-stores').S3Bucket> | undefined;
  const open = async () => {
    if (name === undefined) throw new CliError('ERR_USAGE', 'the R2 bucket is not known: give --bucket, or --config');
    const { readS3Settings, S3Bucket } = await import('@_all_docs/worker-node/object-stores');
    const settings = await readS3Settings(io.env);
    const { endpoint = `https://${account}.r2.cloudflarestorage.com` } = settings;
    return new S3Bucket({
      bucket: name,
      settings: { ...settings, endpoint, region: 'auto', pathStyle: true },
      clock: systemClock,
      random: Math.random,
    });
  };
  return {
    bucket: () => {
      bucket ??= open();
      return bucket;
    },
    close: async () => (await bucket?.catch(() => undefined))?.close(),
  };
}

function describe(result: PushResult, plan: boolean): string {
  const { documents, tarballs, partitions, listing, changes, waiting } = result;
  const verb = plan ? 'differ' : 'sent';
  const lines = [
    `  ${formatNumber(documents.looked)} documents compared, ${formatNumber(documents.sent)} ${verb} (${formatBytes(documents.bytes)}), ${formatNumber(documents.deleted)} deleted`,
    `  ${formatNumber(tarballs.looked)} tarballs compared, ${formatNumber(tarballs.sent)} ${verb}, ${formatNumber(tarballs.blobs)} of them to R2 (${formatBytes(tarballs.blobBytes)}), ${formatNumber(tarballs.deleted)} deleted`,
    `  ${formatNumber(partitions.looked)} partitions compared, ${formatNumber(partitions.sent)} ${verb}`,
    ...(plan ? [] : [`  ${LISTING[listing]}; ${formatNumber(changes)} changes of the feed sent`]),
    ...(tarballs.missing > 0
      ? [`  ${formatNumber(tarballs.missing)} tarballs have a row but no bytes here: verify the replica`]
      : []),
    ...(waiting > 0
      ? [`  ${formatNumber(waiting)} documents changed and wait to be fetched by follow: push again then`]
      : []),
  ];
  if (!plan) return `Pushed to Cloudflare in ${formatNumber(result.requests)} requests.\n${lines.join('\n')}\n`;
  const { requests, bytes, dollars, dollarsAMonth } = priceOf(result);
  return `A push would take ${formatNumber(requests)} requests and ${formatBytes(bytes)}: $${dollars.toFixed(2)} once, $${dollarsAMonth.toFixed(2)} a month.\n${lines.join('\n')}\n`;
}

const LISTING = {
  sent: 'the listing is shown',
  same: 'the listing was shown already',
  unsent: 'the listing was not sent: give --worker',
  none: 'there is no listing: it comes with a bootstrap of everything',
} satisfies Record<PushResult['listing'], string>;
