import type { BootstrapResult, CoverageReport, Phase, ProgressEvent, TarballTally } from '@_all_docs/worker';
import { formatBytes, formatNumber, formatSeconds } from './format.js';

export const PHASE_NAMES: Record<Phase, string> = {
  list: 'Listing names',
  prove: 'Proving coverage',
  fetch: 'Fetching packuments',
  tarballs: 'Keeping tarballs',
};

/** What is said of any progress. */
export type Progress = Pick<
  ProgressEvent,
  'done' | 'total' | 'tarballs' | 'rate' | 'etaSeconds' | 'errors' | 'throttled' | 'pausedSeconds'
>;

/** `1,200 of 5,000 (24 %), 310/s, 12 s left, 3 errors, 1 throttled`. */
export function describeProgress(event: Progress): string {
  const { done, total, tarballs, rate, etaSeconds, errors, throttled, pausedSeconds } = event;
  const parts = [
    total
      ? `${formatNumber(done)} of ${formatNumber(total)} (${Math.floor((100 * done) / total)} %)`
      : formatNumber(done),
  ];
  if (tarballs !== undefined) parts.push(`${formatNumber(tarballs)} tarballs`);
  if (rate > 0) parts.push(`${rate < 10 ? rate.toFixed(1) : formatNumber(Math.round(rate))}/s`);
  if (etaSeconds !== undefined && etaSeconds > 0) parts.push(`${formatSeconds(etaSeconds)} left`);
  if (errors > 0) parts.push(`${formatNumber(errors)} errors`);
  if (throttled > 0) parts.push(`throttled ${formatNumber(throttled)} times`);
  if (pausedSeconds > 0) parts.push(`the origin asks for a pause of ${formatSeconds(pausedSeconds)}`);
  return parts.join(', ');
}

const ENDINGS: Record<BootstrapResult['status'], string> = {
  done: 'Complete',
  incomplete: 'Incomplete',
  throttled: "Stopped by the origin's limit or the budget",
  interrupted: 'Interrupted; everything stored so far is kept, the same command goes on from here',
};

export function describeResult(result: BootstrapResult): string {
  const { names, tarballs, bytes, requests, throttled, seconds, coverage, reason } = result;
  const lines = [`${ENDINGS[result.status]} in ${formatSeconds(seconds)}.`];
  if (names !== undefined) lines.push(`  ${formatNumber(names)} names`);
  lines.push(...describePackuments(result));
  if (tarballs) lines.push(...describeTarballs(tarballs));
  lines.push(
    `  ${formatNumber(requests)} requests, ${formatBytes(bytes)} received${throttled > 0 ? `, throttled ${formatNumber(throttled)} times` : ''}`,
  );
  if (coverage) lines.push(...describeCoverage(coverage).map((line) => `  ${line}`));
  if (result.failed + (tarballs?.failed ?? 0) > 0)
    lines.push('  see what failed with: _all_docs status; the same command tries it again');
  if (reason) lines.push(`  ${reason.code}: ${reason.message}`);
  return `${lines.join('\n')}\n`;
}

function describePackuments({ stored, unchanged, held, absent, failed }: BootstrapResult): string[] {
  return describeCounts('packuments', [
    [stored, 'fetched'],
    [unchanged, 'unchanged'],
    [held, 'held already'],
    [absent, 'without a document in the registry'],
    [failed, 'failed'],
  ]);
}

function describeTarballs({ stored, bytes, held, absent, failed, mismatched }: TarballTally): string[] {
  return describeCounts('tarballs', [
    [stored, `fetched (${formatBytes(bytes)})`],
    [held, 'held already'],
    [absent, 'listed, but not in the registry'],
    [failed, mismatched > 0 ? `failed (${formatNumber(mismatched)} are not what they should be)` : 'failed'],
  ]);
}

function describeCounts(of: string, counts: readonly (readonly [count: number, what: string])[]): string[] {
  const said = counts.filter(([count]) => count > 0).map(([count, what]) => `${formatNumber(count)} ${what}`);
  return said.length > 0 ? [`  ${of}: ${said.join(', ')}`] : [];
}

export function describeCoverage({ holds, partitions, rows, total, problems }: CoverageReport): string[] {
  const counted = total
    ? `, the origin counted ${formatNumber(total.before)} before and ${formatNumber(total.after)} after (${formatNumber(total.moved)} changes between)`
    : '';
  const head = `coverage ${holds ? 'holds' : 'DOES NOT HOLD'}: ${formatNumber(partitions)} partitions touch, ${formatNumber(rows)} rows in order${counted}`;
  return [
    holds ? head : head.replace(' touch, ', ', ').replace(' in order', ''),
    ...problems.map(({ kind, message }) => `${kind}: ${message}`),
  ];
}
