import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Churned, type ChurnRule, churn } from './churn.ts';
import { control } from './control.ts';
import { isGone } from './document.ts';
import { Exchange, sendHonest } from './exchange.ts';
import { misbehave } from './fault-acts.ts';
import { FaultBook } from './fault-book.ts';
import type { FaultRule } from './fault-rule.ts';
import type { LagRule } from './lag.ts';
import { Origin } from './origin.ts';
import { livePlaces } from './plan.ts';
import { parseTarget } from './route.ts';
import { Counters } from './stats.ts';
import type { Doc, FakeOriginOptions, RemovalKind, Stats } from './types.ts';

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
  /** Throws on a name that never existed, and on the only version of a package. */
  remove(name: string, how: RemovalKind): { rev: string; seq: number };
  /** Many changes at random, at once. Throws on a rule that is none. */
  churn(rule: ChurnRule): Churned;
  /** All names that exist or existed, each with the revision of its document; `undefined` where the registry says 404. */
  truth(): Iterable<[name: string, rev: string | undefined]>;
  /** From here on, changed documents are answered as they were for a while; `undefined` ends that at once. */
  setLag(rule: LagRule | undefined): void;
  /** Adds to every sequence number: a negative one is an epoch change. */
  shiftSequence(by: number): void;
  /** Ends every connection. */
  close(): Promise<void>;
}

/** Listens on 127.0.0.1 only. */
export async function startFakeOrigin(options: FakeOriginOptions): Promise<FakeOrigin> {
  const origin = new Origin(options);
  const { world, documents } = origin;
  const counters = new Counters(world);
  const faults = new FaultBook(options.seed, options.faults ?? []);
  const server = createServer({ keepAliveTimeout: 65_000 }, (req, res) => void serve(req, res));
  await listen(server, options.port ?? 0);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const change = (name: string, act: () => Doc) => {
    const before = world.find(name);
    const doc = act();
    origin.lag.changed(name, before);
    return { rev: world.rev(doc), seq: world.updateSeq };
  };
  const withdraw = (name: string): Doc => {
    const doc = world.find(name);
    const places = doc?.removed === undefined && doc ? livePlaces(documents.plan(doc), doc) : [];
    if (!doc || places.length < 2) throw new Error(`no version of ${name} can be taken away`);
    return world.withdraw(doc, places.at(-1) as number);
  };

  /** The latest version, where it can be removed in that way. */
  const latest = (name: string, how: RemovalKind): string | undefined => {
    const doc = world.find(name);
    if (doc?.removed !== undefined || !doc) return undefined;
    return how === 'version' && livePlaces(documents.plan(doc), doc).length < 2 ? undefined : documents.latest(doc);
  };
  const publish = (name: string) => change(name, () => world.publish(name));
  const remove = (name: string, how: RemovalKind) =>
    change(name, () => (how === 'version' ? withdraw(name) : world.remove(name, how)));

  const fake: FakeOrigin = {
    url,
    get count() {
      return world.count;
    },
    get updateSeq() {
      return world.updateSeq;
    },
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
    publish,
    remove,
    churn: (rule) => churn({ world, publish, remove, latest }, rule),
    *truth() {
      for (let id = 0; id < world.known; id++) {
        const doc = world.doc(id);
        yield [doc.name, isGone(doc) ? undefined : world.rev(doc)];
      }
    },
    setLag: (rule) => origin.lag.set(rule),
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
    const hit = faults.choose(route);
    if (options.latencyMs) await new Promise((resolve) => setTimeout(resolve, options.latencyMs));
    if (res.destroyed) return;
    const base = `http://${req.headers.host ?? url.slice('http://'.length)}`;
    const exchange = new Exchange(origin, counters, req, res, route, base);
    await (hit ? misbehave(exchange, hit) : sendHonest(exchange));
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
