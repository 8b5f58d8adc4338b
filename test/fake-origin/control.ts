import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { badRequest, jsonAnswer, notAllowed, notFound } from './answer.ts';
import type { Route } from './route.ts';
import type { FakeOrigin } from './server.ts';
import { type Answer, REMOVALS, type RemovalKind } from './types.ts';

const MOST = 16 * 1024 * 1024;

/** `/-/fake/…`: the same steering as the object's methods, for another process. */
export async function control(
  fake: FakeOrigin,
  route: Route,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  if (route.path === '/-/fake/names' && req.method === 'GET') return sendLines(fake.names(), res);
  if (route.path === '/-/fake/truth' && req.method === 'GET') return sendLines(truth(fake), res);
  const answer = await steer(fake, route, req).catch((error: unknown) => badRequest(String(error)));
  res.writeHead(answer.status, answer.headers);
  res.end(answer.body);
}

async function steer(fake: FakeOrigin, route: Route, req: IncomingMessage): Promise<Answer> {
  const verb = route.path.slice('/-/fake/'.length);
  if (verb === 'stats') return req.method === 'GET' ? statsAnswer(fake, route) : notAllowed(req.method ?? '', 'GET');
  if (verb === 'document' && req.method === 'GET') return documentAnswer(fake, route.query.get('name') ?? '');
  const act = Object.hasOwn(ACTS, verb) ? ACTS[verb] : undefined;
  if (!act) return notFound();
  if (req.method !== 'POST') return notAllowed(req.method ?? '', 'POST');
  return jsonAnswer(200, act(fake, await readJson(req)) ?? {});
}

type Wanted = { name: string; how: RemovalKind; by: number };

const ACTS: Record<string, (fake: FakeOrigin, body: unknown) => unknown> = {
  reset: (fake) => fake.resetStats(),
  faults: (fake, body) => fake.setFaults(body as never),
  publish: (fake, body) => fake.publish(nameOf(body)),
  remove: (fake, body) => fake.remove(nameOf(body), howOf(body)),
  churn: (fake, body) => fake.churn(body as never),
  lag: (fake, body) => fake.setLag(body as never),
  shift: (fake, body) => fake.shiftSequence(Number((body as Wanted).by)),
};

function nameOf(body: unknown): string {
  const name = (body as Partial<Wanted> | undefined)?.name;
  if (typeof name !== 'string' || name === '') throw new TypeError('name is missing');
  return name;
}

function howOf(body: unknown): RemovalKind {
  const how = (body as Wanted).how;
  if (!REMOVALS.includes(how)) throw new TypeError(`how must be one of ${REMOVALS.join()}`);
  return how;
}

function documentAnswer(fake: FakeOrigin, name: string): Answer {
  return jsonAnswer(200, { rev: fake.rev(name), document: fake.packument(name) });
}

function statsAnswer(fake: FakeOrigin, route: Route): Answer {
  const { perName, ...stats } = fake.stats();
  // fromEntries defines own keys, so a package called __proto__ is counted like any other.
  const names = route.query.get('names') === '1' ? { names: Object.fromEntries(perName.entries()) } : {};
  return jsonAnswer(200, { ...stats, ...names });
}

/** `name rev`, and `name -` where the registry says 404. */
function* truth(fake: FakeOrigin): Iterable<string> {
  for (const [name, rev = '-'] of fake.truth()) yield `${name} ${rev}`;
}

async function sendLines(lines: Iterable<string>, res: ServerResponse): Promise<void> {
  res.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
  await pipeline(Readable.from(inBlocks(lines)), res).catch(() => res.destroy());
}

/** Lines in blocks: a chunk for each one would be a million writes. */
function* inBlocks(lines: Iterable<string>): Iterable<string> {
  let block = '';
  for (const line of lines) {
    block += `${line}\n`;
    if (block.length < 65536) continue;
    yield block;
    block = '';
  }
  yield block;
}

async function readJson(req: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MOST) throw new RangeError('body too large');
    chunks.push(chunk);
  }
  return size === 0 ? undefined : (JSON.parse(Buffer.concat(chunks).toString()) as unknown);
}
