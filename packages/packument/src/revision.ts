/**
 * Whether a document of revision `rev` is from before `announced`, as CouchDB counts revisions: `{generation}-{hash}`.
 * `false` where that cannot be told: a document that names no revision, or a registry that counts otherwise.
 */
export function isOlderRevision(rev: string | undefined, announced: string | undefined): boolean {
  if (rev === undefined || announced === undefined || rev === announced) return false;
  const [have, want] = [generationOf(rev), generationOf(announced)];
  return have !== undefined && want !== undefined && have < want;
}

function generationOf(rev: string): number | undefined {
  const digits = /^(\d{1,15})-/.exec(rev)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
