import type { IncomingHttpHeaders } from 'node:http';
import { badRequest, encoded, jsonAnswer, notAllowed, notFound } from './answer.ts';
import { Documents } from './document.ts';
import { Lag } from './lag.ts';
import { allDocsAnswer, changesAnswer, rootAnswer } from './pages.ts';
import { Registry } from './registry.ts';
import type { Route } from './route.ts';
import type { Answer, FakeOriginOptions } from './types.ts';
import { World } from './world.ts';

/** What an answer depends on, besides the world. */
export interface Ask {
  method: string;
  headers: IncomingHttpHeaders;
  route: Route;
  /** `http://` and the Host that was asked: tarball URLs are written with it. */
  base: string;
}

/** Everything behind the socket: what an honest origin would say to anything. */
export class Origin {
  readonly world: World;
  readonly documents: Documents;
  readonly pageLimit: number;
  readonly lag = new Lag();
  #registry: Registry;

  constructor(options: FakeOriginOptions) {
    this.world = new World(options.packages, options.seed);
    this.documents = new Documents(this.world, options);
    this.pageLimit = options.pageLimit ?? 10_000;
    this.lag.set(options.lag);
    this.#registry = new Registry(this.world, this.documents, this.lag, options.cacheBytes);
  }

  async answer({ method, headers, route, base }: Ask): Promise<Answer> {
    if (method !== 'GET' && method !== 'HEAD') return notAllowed(method, 'GET, HEAD');
    if (route.kind === 'packument') return this.#registry.packument(route, headers, base);
    if (route.kind === 'tarball') return this.#registry.tarball(route);
    const answer = this.#plain(route, base);
    return answer.status === 200 ? encoded(answer, headers['accept-encoding']) : answer;
  }

  #plain(route: Route, base: string): Answer {
    if (route.kind === 'root') return rootAnswer(this.world, route.path);
    if (route.kind === 'allDocs') return allDocsAnswer(this.world, route.query, this.pageLimit);
    if (route.kind === 'changes') return changesAnswer(this.world, route.query, this.pageLimit);
    if (route.other === 'ping') return jsonAnswer(200, {});
    if (route.other === 'malformed') return badRequest('malformed path');
    if (route.other === 'keys') return jsonAnswer(200, { keys: [this.documents.signingKey.entry] });
    if (route.other === 'attestations') return this.#registry.attestations(route);
    if (route.other === 'dist-tags') return this.#registry.distTags(route, base);
    if (route.other === 'manifest') return this.#registry.manifest(route, base);
    return notFound();
  }
}
