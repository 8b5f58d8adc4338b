import type { Outline } from './document.ts';
import { mix } from './hash.ts';
import { livePlaces, publishedAt, versionAt } from './plan.ts';
import { attestationsText } from './tarball-attestations.ts';

const KEY_ID = 'SHA256:fAkEfAkEfAkEfAkEfAkEfAkEfAkEfAkEfAkEfAkEfAk';
const NPM_USER = '{"name":"npm","email":"npm@registry.example"}';
const LONGEST_README = 65536;

/** A live package. Text is put together from ready parts: JSON.stringify of the same object is far slower. */
export function fullText(outline: Outline): string {
  const { plan, doc } = outline;
  const indexes = Array.from({ length: plan.versions }, (_, i) => i);
  const live = livePlaces(plan, doc);
  const manifests = manifestWriter(outline);
  const versions = live.map((i) => `"${versionAt(plan, i)}":${manifests(i)}`).join();
  const tags = tagsText(outline, live.at(-1) as number);
  if (outline.form === 'abbreviated') return abbreviatedText(outline, tags, versions);
  const times = indexes.map((i) => `"${versionAt(plan, i)}":"${iso(publishedAt(plan, i))}"`).join();
  const start = `${headText(outline)},"dist-tags":{${tags}},"versions":{${versions}},${timeText(outline, times)}`;
  return start + describeText(outline, plan.target - start.length, mix(plan.hash + doc.generation));
}

/** What is left of a package that its author took away: no versions, no tags. */
export function stubText(outline: Outline): string {
  if (outline.form === 'abbreviated') return abbreviatedText(outline, '', '');
  const { plan } = outline;
  const versions = Array.from({ length: plan.versions }, (_, i) => `"${versionAt(plan, i)}"`).join();
  const unpublished = `"unpublished":{"time":"${iso(outline.modified)}","versions":[${versions}]}`;
  return `${headText(outline)},${timeText(outline, unpublished)},"maintainers":[]}`;
}

/** What the registry itself puts in place of malware. */
export function placeholderText(outline: Outline): string {
  const { doc, form } = outline;
  const version = '0.0.1-security';
  const full = `,"description":"security holding package","repository":"npm/security-holder","_id":${idText(
    doc.name,
    version,
  )},"maintainers":[${NPM_USER}],"_npmUser":${NPM_USER}`;
  const manifest = `"${version}":{"name":${JSON.stringify(doc.name)},"version":"${version}"${
    form === 'full' ? full : ''
  },${distText(outline, version, 0)}}`;
  const tags = `"latest":"${version}"`;
  if (form === 'abbreviated') return abbreviatedText(outline, tags, manifest);
  return `${headText(outline)},"dist-tags":{${tags}},"versions":{${manifest}},${timeText(
    outline,
    `"${version}":"${iso(outline.modified)}"`,
  )},"maintainers":[${NPM_USER}],"description":"security holding package"}`;
}

function tagsText({ plan }: Outline, latest: number): string {
  const next = plan.versions > 3 && plan.hash % 5 === 0 ? `,"next":"${versionAt(plan, latest)}"` : '';
  return `"latest":"${versionAt(plan, latest)}"${next}`;
}

export function headText({ doc, rev }: Outline): string {
  const name = JSON.stringify(doc.name);
  return `{"_id":${name},"_rev":"${rev}","name":${name}`;
}

function abbreviatedText(outline: Outline, tags: string, versions: string): string {
  return `{"name":${JSON.stringify(outline.doc.name)},"dist-tags":{${tags}},"versions":{${versions}},"modified":"${iso(outline.modified)}"}`;
}

export function timeText({ plan, modified }: Outline, members: string): string {
  return `"time":{"created":"${iso(Math.floor(plan.created))}","modified":"${iso(modified)}",${members}}`;
}

/** The fields behind `time`; a readme fills the document up to its size. */
export function describeText(outline: Outline, room: number, hash: number): string {
  const { plan, prose } = outline;
  const people = peopleText(plan.hash);
  const page = `https://code.example/${plan.hash.toString(36)}`;
  const text = `${plan.hash % 7 === 0 ? `,"users":{"user${hash % 999}":true}` : ''},"maintainers":[${people}],"description":"${prose.text(
    plan.hash,
    60 + (plan.hash % 60),
  )}","homepage":"${page}#readme","keywords":["fake","${plan.hash % 100}"],"repository":{"type":"git","url":"git+${
    page
  }.git"},"author":${people},"bugs":{"url":"${page}/issues"},"license":"MIT"`;
  const readme = prose.text(hash, Math.max(0, Math.min(LONGEST_README - 40, room - text.length - 40)));
  return `${text},"readme":"${readme}","readmeFilename":"README.md"}`;
}

/** One manifest after another, by index; parts that do not change with the version are made once. */
export function manifestWriter(outline: Outline): (index: number) => string {
  const { doc, plan, form } = outline;
  const name = JSON.stringify(doc.name);
  const people = peopleText(plan.hash);
  const tail = `"_npmUser":${people},"maintainers":[${people}],"_nodeVersion":"${10 + (plan.hash % 14)}.1.0","_npmVersion":"${
    6 + (plan.hash % 6)
  }.2.0","_hasShrinkwrap":false}`;
  const deprecatedBelow = plan.hash % 33 === 0 ? plan.versions / 2 : 0;
  return (index) => {
    const version = versionAt(plan, index);
    const era = outline.era(index);
    const deprecated = index < deprecatedBelow ? ',"deprecated":"no longer kept up"' : '';
    const dist = distText(outline, version, mix(plan.hash + index));
    if (form === 'abbreviated') {
      return `{"name":${name},"version":"${version}"${deprecated}${era.abbreviated}${era.shared},${dist}}`;
    }
    return `{"name":${name},"version":"${version}"${deprecated}${era.full}${era.shared},"_id":${idText(doc.name, version)},${dist},${tail}`;
  };
}

function peopleText(hash: number): string {
  return `{"name":"user${hash % 100003}","email":"user${hash % 100003}@mail.example"}`;
}

function idText(name: string, version: string): string {
  return JSON.stringify(`${name}@${version}`);
}

function distText(outline: Outline, version: string, hash: number): string {
  const { doc, base } = outline;
  const { distText: digests, integrity } = outline.tarball(doc.name, version);
  const keyId = outline.signer?.entry.keyid ?? KEY_ID;
  const sig = outline.signer?.sign(`${doc.name}@${version}:${integrity}`) ?? `${outline.prose.base64(hash, 95)}=`;
  const attested = outline.attested ? `,${attestationsText(base, doc.name, version)}` : '';
  return `"dist":{"tarball":"${base}${tarballPath(doc.name, version)}",${digests},"signatures":[{"keyid":"${keyId}","sig":"${sig}"}]${attested}}`;
}

/**
 * `/{name}/-/{base}-{version}.tgz`, as a URL that survives URL libraries: a last part of dots would be
 * normalised away after a plain slash, so there (only) the slash is encoded.
 */
function tarballPath(name: string, version: string): string {
  const parts = name.split('/').map(encodeURIComponent);
  const last = parts.pop() as string;
  const scope = parts.length ? `${(parts[0] as string).replace('%40', '@')}${/^\.+$/.test(last) ? '%2f' : '/'}` : '';
  return `/${scope}${last}/-/${last}-${version}.tgz`;
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}
