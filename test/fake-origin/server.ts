import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { encoded, badRequest, jsonAnswer, notAllowed, notFound } from './answer.ts';
import { control } from './control.ts';
import { Documents } from './document.ts';
import { sendHonest } from './exchange.ts';
import type { Exchange } from './exchange.ts';
import { misbehave } from './fault-acts.ts';
import { FaultBook } from './fault-rule.ts';
import type { FaultRule } from './fault-rule.ts';
import { allDocsAnswer, changesAnswer, rootAnswer } from './pages.ts';
import { Registry } from './registry.ts';
import { parseTarget } from './route.ts';
import type { Route } from './route.ts';
import { Counters } from './stats.ts';
import type { Answer, FakeOriginOptions, RemovalKind, Stats } from './types.ts';
import { World } from './world.ts';

/** A running fake. Its methods act at once; requests in flight may still see the world before. */
export interface FakeOrigin {
  /** `http://127.0.0.1:PORT`, no trailing slash. */
  readonly url: string;
  /** Listed names, now. */
  readonly count: number;
  readonly updateSeq: number;
  /** Listed names in byte order. */
  names(): Iterable<string>;
  has(name: string): boolean;
  /** The full document as served; undefined when it would be 404. */
  packument(name: string): Record<string, unknown> | undefined;
  /** The revision of a name that is or was there. */
  rev(name: string): string | undefined;
  stats(): Stats;
  requestsFor(name: string): number;
  requestsServed(name: string): number;
  setFaults(rules: readonly FaultRule[]): void;
  resetStats(): void;
  /** A new version and revision, at the head of the feed; makes the name when it is new. Gives back the revision. */
  publish(name: string): { rev: string; seq: number };
  remove(name: string, how: RemovalKind): { rev: string; seq: number };
  /** Adds to every sequence number: a negative one is an epoch change. */
  shiftSequence(by: number): void;
  /** Ends every connection. */
  close(): Promise<void>;
}

/** Listens on 127.0.0.1 only. */
export async function startFakeOrigin(options: FakeOriginOptions): Promise<FakeOrigin> {
  const world = new World(options.packages, options.seed);
  const documents = new Documents(world, options);
  const registry = new Registry(world, documents, options.cacheBytes);
  const counters = new Counters(world);
  const faults = new FaultBook(options.seed, options.faults ?? []);
  const server = createServer({ keepAliveTimeout: 65_000 }, (req, res) => void serve(req, res));
  await listen(server, options.port ?? 0);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const changed = (doc: Parameters<World['rev']>[0]) => ({ rev: world.rev(doc), seq: world.updateSeq });

  const fake: FakeOrigin = {
    url,
    get count() { return world.count; },
    get updateSeq() { return world.updateSeq; },
    names: () => world.names(),
    has: (name) => world.has(name),
    packument: (name) => {
      const doc = world.find(name);
      const text = doc && documents.text(doc, 'full', url);
      return text === undefined ? undefined : (JSON.parse(text) as Record<string, unknown>);
    },
    rev: (name) => {
      const doc = world.find(name);
      return doc && world.rev(doc);
    },
    stats: () => counters.snapshot(),
    requestsFor: (name) => counters.perName(name).asked,
    requestsServed: (name) => counters.perName(name).served,
    setFaults: (rules) => faults.set(rules),
    resetStats: () => counters.reset(),
    publish: (name) => changed(world.publish(name)),
    remove: (name, how) => changed(world.remove(name, how)),
    shiftSequence: (by) => world.shiftSequence(by),
    close: () => close(server),
  };
  return fake;

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const route = parseTarget(req.url ?? '/');
    counters.begin(route.kind, route.name);
    res.once('close', () => counters.end(route.kind));
    if (route.kind === 'control') return control(fake, route, req, res);
    // A body that nobody reads would hold the connection.
    req.resume();
    const rule = faults.choose(route);
    if (options.latencyMs) await new Promise((resolve) => setTimeout(resolve, options.latencyMs));
    if (res.destroyed) return;
    const exchange: Exchange = { req, res, route, counters, honest: () => answerTo(req, route) };
    await (rule ? misbehave(exchange, rule) : sendHonest(exchange));
  }

  async function answerTo(req: IncomingMessage, route: Route): Promise<Answer> {
    if (req.method !== 'GET' && req.method !== 'HEAD') return notAllowed(req.method ?? '', 'GET, HEAD');
    const base = `http://${req.headers.host ?? url.slice('http://'.length)}`;
    if (route.kind === 'packument') return registry.packument(route, req.headers, base);
    if (route.kind === 'tarball') return registry.tarball(route);
    const answer = plainAnswer(route, base);
    return answer.status === 200 ? encoded(answer, req.headers['accept-encoding']) : answer;
  }

  function plainAnswer(route: Route, base: string): Answer {
    if (route.kind === 'root') return rootAnswer(world, route.path);
    if (route.kind === 'allDocs') return allDocsAnswer(world, route.query, options.pageLimit ?? 10_000);
    if (route.kind === 'changes') return changesAnswer(world, route.query, options.pageLimit ?? 10_000);
    if (route.other === 'ping') return jsonAnswer(200, {});
    if (route.other === 'malformed') return badRequest('malformed path');
    if (route.other === 'dist-tags') return registry.distTags(route, base);
    if (route.other === 'manifest') return registry.manifest(route, base);
    return notFound();
  }
}

async function listen(server: Server, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ host: '127.0.0.1', port, backlog: 1024 }, resolve);
  await promise;
}

async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
