/** Kinds of what is kept in tiers. */
export type SyncTable = 'packuments' | 'partitions' | (string & {});

export const DEFAULT_SYNC_TABLES: readonly SyncTable[] = ['packuments', 'partitions'];

/** The table that a key of the `v1` scheme belongs to: its kind's plural; both forms of a document are `packuments`. `undefined` for any other key. */
export function tableOf(key: string): SyncTable | undefined {
  const [version, kind] = key.split(':', 2);
  if (version !== 'v1' || !kind) return undefined;
  return kind === 'abbreviated' ? 'packuments' : `${kind}s`;
}
