/** How the registry says in a document that a package was removed (npm documentation: unpublishing, reporting malware). */
export type Removal = 'unpublished' | 'placeholder';

const PLACEHOLDER = /^0\.0\.1-security(?:\.\d+)?$/;

/**
 * What a parsed document says of its package's removal; `undefined` for one that has versions of its own. `unpublished`:
 * no version is left. `time.unpublished` alone means nothing: packages that lost some of their versions bear it, too.
 * `placeholder`: npm's own security placeholder stands in its place.
 */
export function removalOf(document: unknown): Removal | undefined {
  const { versions, time, 'dist-tags': tags } = (document ?? {}) as Record<string, unknown>;
  const manifests = Object.entries((versions ?? {}) as Record<string, unknown>);
  if (manifests.length === 0) {
    const said = (time as Record<string, unknown> | undefined)?.['unpublished'] !== undefined;
    return said || (time !== undefined && tags === undefined) ? 'unpublished' : undefined;
  }
  const held = manifests.every(([version, manifest]) => PLACEHOLDER.test(version) && isByNpm(manifest));
  return held ? 'placeholder' : undefined;
}

function isByNpm(manifest: unknown): boolean {
  const { _npmUser: user } = (manifest ?? {}) as { _npmUser?: { name?: unknown } };
  return user?.name === 'npm';
}
