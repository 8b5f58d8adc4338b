import type { IncomingHttpHeaders } from 'node:http';
import { admitsGzip, compress, jsonAnswer, notFound } from './answer.ts';
import { BodyCache } from './body-cache.ts';
import { type Documents, isGone } from './document.ts';
import type { Lag } from './lag.ts';
import type { Route } from './route.ts';
import type { Answer, Doc, Form } from './types.ts';
import type { World } from './world.ts';

const ABBREVIATED = 'application/vnd.npm.install-v1+json';
const VARY = 'Accept-Encoding, Accept';

/** The registry protocol: documents, manifests, tags, tarballs. */
export class Registry {
  #world: World;
  #documents: Documents;
  #lag: Lag;
  #cache: BodyCache;

  constructor(world: World, documents: Documents, lag: Lag, cacheBytes: number | undefined) {
    this.#world = world;
    this.#documents = documents;
    this.#lag = lag;
    this.#cache = new BodyCache(cacheBytes);
  }

  /** `base` is `http://` and the Host header: tarball URLs are written with it. */
  async packument(route: Route, headers: IncomingHttpHeaders, base: string): Promise<Answer> {
    const name = route.name as string;
    const doc = this.#lag.seen(name, this.#world.find(name), route.query.size > 0);
    if (!doc || isGone(doc)) return notFound();
    const form: Form = headers.accept?.includes(ABBREVIATED) ? 'abbreviated' : 'full';
    const etag = this.#documents.etag(doc, form, base);
    const modified = this.#documents.modified(doc);
    const common = {
      etag,
      'cache-control': 'public, max-age=300',
      vary: VARY,
      'last-modified': new Date(modified).toUTCString(),
    };
    if (fresh(headers, etag, modified)) return { status: 304, headers: common, body: null };
    const gzip = admitsGzip(headers['accept-encoding']);
    const render = () => Buffer.from(this.#documents.text(doc, form, base) as string);
    const body = gzip ? await this.#cache.get(etag, async () => compress(render())) : render();
    return {
      status: 200,
      headers: {
        'content-type': form === 'full' ? 'application/json' : ABBREVIATED,
        ...common,
        ...(gzip ? { 'content-encoding': 'gzip' } : {}),
        'content-length': String(body.length),
      },
      body,
    };
  }

  /** One version, by number or tag. */
  manifest(route: Route, base: string): Answer {
    const packument = this.#parsed(route, base);
    if (!packument) return notFound();
    const wanted = route.rest as string;
    const tags = packument['dist-tags'] ?? {};
    const version = Object.hasOwn(tags, wanted) ? (tags[wanted] as string) : wanted;
    const versions = packument.versions ?? {};
    return Object.hasOwn(versions, version)
      ? jsonAnswer(200, versions[version])
      : notFound(`version not found: ${wanted}`);
  }

  distTags(route: Route, base: string): Answer {
    const packument = this.#parsed(route, base);
    return packument?.['dist-tags'] ? jsonAnswer(200, packument['dist-tags']) : notFound();
  }

  tarball(route: Route): Answer {
    const doc = this.#find(route);
    const file = route.rest as string;
    const prefix = `${(route.name as string).split('/').pop()}-`;
    if (!doc || !file.startsWith(prefix) || !file.endsWith('.tgz')) return notFound();
    const found = this.#documents.tarball(doc, file.slice(prefix.length, -'.tgz'.length));
    if (!found) return notFound();
    const { bytes } = found;
    return {
      status: 200,
      headers: {
        'content-type': 'application/octet-stream',
        'cache-control': 'public, immutable, max-age=31557600',
        'content-length': String(bytes.length),
      },
      body: bytes,
    };
  }

  attestations(route: Route): Answer {
    const doc = this.#find(route);
    const found = doc && this.#documents.attestations(doc, route.rest as string);
    return found ? jsonAnswer(200, found) : notFound();
  }

  #find(route: Route): Doc | undefined {
    const doc = this.#world.find(route.name as string);
    return doc && isGone(doc) ? undefined : doc;
  }

  #parsed(route: Route, base: string): ParsedPackument | undefined {
    const doc = this.#find(route);
    return doc && (JSON.parse(this.#documents.text(doc, 'full', base) as string) as ParsedPackument);
  }
}

interface ParsedPackument {
  'dist-tags'?: Record<string, string>;
  versions?: Record<string, unknown>;
}

/** RFC 9110, 13.1: If-Modified-Since counts only without If-None-Match. */
function fresh(headers: IncomingHttpHeaders, etag: string, modified: number): boolean {
  const match = headers['if-none-match'];
  if (match !== undefined) return match.split(',').some((tag) => [etag, `W/${etag}`, '*'].includes(tag.trim()));
  const since = headers['if-modified-since'];
  return since !== undefined && Math.floor(modified / 1000) * 1000 <= Date.parse(since);
}
