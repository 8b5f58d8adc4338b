import type { FollowStatus } from '@_all_docs/worker';
import type { Snapshot } from './counters.js';

/** The text format of Prometheus, version 0.0.4. */
export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** What a cluster has besides the sum of its workers' counters. */
export interface Fleet {
  workers: number;
  /** Workers that ended without being told to, and were started again. */
  restarts: number;
}

/** What the registry counts that goes down, too. */
const GAUGES = /(in_flight|held_bytes)$/;

/** All counters as Prometheus reads them. Names without our prefix are those that its client libraries use. */
export function renderMetrics(snapshot: Snapshot, { workers, restarts }: Fleet, feed?: FollowStatus): string {
  const { process } = snapshot;
  const out = new Lines();
  out.family('all_docs_http_requests_total', 'counter', 'Answers, by what was asked for and status.');
  for (const [key, count] of Object.entries(snapshot.requests).sort()) {
    const [route, status] = key.split(' ');
    out.sample('all_docs_http_requests_total', count, `{route="${route}",status="${status}"}`);
  }
  out.metric('all_docs_http_hot_answers_total', 'counter', 'Answers from memory.', snapshot.hot);
  out.metric('all_docs_http_response_bytes_total', 'counter', 'Bytes of bodies sent.', snapshot.bytes);
  out.metric('all_docs_http_aborted_total', 'counter', 'Answers whose client went away.', snapshot.aborted);
  out.metric('all_docs_http_cut_total', 'counter', 'Answers cut because their body failed.', snapshot.cut);
  out.metric('all_docs_http_dropped_connections_total', 'counter', 'Connections beyond the most.', snapshot.dropped);
  out.metric('all_docs_http_requests_in_flight', 'gauge', 'Answers under way.', snapshot.inFlight);
  out.metric('all_docs_http_connections', 'gauge', 'Open connections.', snapshot.connections);
  for (const [path, value] of numbersOf(snapshot.counters)) {
    const type = GAUGES.test(path) ? 'gauge' : 'counter';
    const name = `all_docs_registry_${path}${type === 'counter' ? '_total' : ''}`;
    out.metric(name, type, `${path} in the registry's status.`, value);
  }
  if (feed) addFeed(out, feed);
  out.metric('all_docs_workers', 'gauge', 'Processes that answer.', workers);
  out.metric('all_docs_worker_restarts_total', 'counter', 'Workers that died and were started again.', restarts);
  out.metric('nodejs_eventloop_lag_p99_seconds', 'gauge', 'Lateness of timers, lately.', process.lagP99);
  out.metric('nodejs_eventloop_lag_max_seconds', 'gauge', 'Most lateness of a timer, lately.', process.lagMax);
  out.metric('process_resident_memory_bytes', 'gauge', 'Resident memory.', process.rssBytes);
  out.metric('all_docs_peak_resident_memory_bytes', 'gauge', 'Most resident memory.', process.peakRssBytes);
  out.metric('process_cpu_seconds_total', 'counter', 'CPU time.', process.cpuSeconds);
  out.metric('process_start_time_seconds', 'gauge', 'Start, in seconds since 1970.', process.startedAt);
  return out.text();
}

function addFeed(out: Lines, feed: FollowStatus): void {
  const gauge = (name: string, help: string, value: number | undefined) => {
    if (value !== undefined) out.metric(`all_docs_feed_${name}`, 'gauge', help, value);
  };
  gauge('cursor', 'Sequence up to which the feed is applied.', feed.cursor);
  gauge('origin_sequence', "The origin's newest sequence, as last seen.", feed.originSeq);
  gauge('lag_changes', 'Sequence numbers that the replica is behind.', feed.lagChanges);
  gauge('lag_seconds', 'Since the feed was last read to its head.', feed.lagSeconds);
  gauge('alarm', 'Whether the feed cannot be relied on now.', feed.alarm ? 1 : 0);
  gauge(
    'reconciled_timestamp_seconds',
    'When names were last compared.',
    feed.reconciledAt && feed.reconciledAt / 1000,
  );
  gauge('documents_stale', 'Documents that changed and were not fetched again yet.', feed.stale);
  gauge('documents_failing', 'Those of them that could not be fetched.', feed.failing);
  gauge('packages_gone', 'Packages that the registry removed.', feed.gone);
  gauge('counted_timestamp_seconds', 'When documents and packages of the feed were counted.', feed.countedAt / 1000);
}

class Lines {
  readonly #lines: string[] = [];

  metric(name: string, type: string, help: string, value: number): void {
    this.family(name, type, help);
    this.sample(name, value);
  }

  family(name: string, type: string, help: string): void {
    this.#lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
  }

  sample(name: string, value: number, labels = ''): void {
    this.#lines.push(`${name}${labels} ${value}`);
  }

  text(): string {
    return `${this.#lines.join('\n')}\n`;
  }
}

/** Every number in a tree of objects, by its path in snake case. */
function* numbersOf(tree: object, path = ''): Iterable<[path: string, value: number]> {
  for (const [key, value] of Object.entries(tree)) {
    const name = `${path}${path && '_'}${key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
    if (typeof value === 'number') yield [name.replace(/\W/g, '_'), value];
    else if (typeof value === 'object' && value !== null && !Array.isArray(value)) yield* numbersOf(value, name);
  }
}
