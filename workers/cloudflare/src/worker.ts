/** @module The worker that `wrangler deploy` puts in place. */
import { type AnswerRequest, errorAnswer, jsonAnswer, toResponse } from '@_all_docs/registry/edge';
import type { WorkItem, WorkResult } from '@_all_docs/worker/queues';
import { type App, createApp } from './app.js';
import { isAuthorized } from './authorize.js';
import type { Bindings } from './bindings.js';
import { followed } from './replica-object.js';
import { WorkQueueObject as Queue } from './work-queue-object.js';

export { ReplicaObject } from './replica-object.js';

const LARGEST_ITEM = 128_000;

/** Bindings are the same for the life of an isolate; our own URLs have the scheme that the client used. */
const apps: Partial<Record<Scheme, App>> = {};
type Scheme = 'http' | 'https';

function open(bindings: Bindings, url = 'https:'): App {
  const scheme: Scheme = url.startsWith('https:') ? 'https' : 'http';
  apps[scheme] ??= createApp(bindings, scheme);
  return apps[scheme];
}

/** Items of `POST /enqueue` are worked on by the object's own alarms. */
export class WorkQueueObject extends Queue {
  protected override process = (item: WorkItem): Promise<WorkResult> => open(this.env).work(item);
}

export default {
  async fetch(request, bindings): Promise<Response> {
    const target = request.url.slice(request.url.indexOf('/', 8));
    try {
      const special = target.startsWith('/npm/') ? undefined : await other(request, target, bindings);
      return (
        special ??
        toResponse(await open(bindings, request.url).registry.answer(asSent(request), target), request.method)
      );
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      console.error(
        JSON.stringify({ message: 'a request failed', target: target.slice(0, 300), error: String(error) }),
      );
      // What is missing in the configuration is nobody's secret, and the one who deploys sees it first here.
      const answer = code === 'ERR_NO_BINDING' ? jsonAnswer(500, { code, error: message }) : errorAnswer(error);
      return toResponse(answer, request.method);
    }
  },

  async queue(batch, bindings): Promise<void> {
    for (const message of batch.messages) {
      const result = await open(bindings)
        .work(message.body)
        .catch((error): WorkResult => ({ success: false, error: String(error) }));
      if (result.success) message.ack();
      else {
        console.warn(
          JSON.stringify({ message: 'work failed', id: message.body?.id, attempts: message.attempts, ...result }),
        );
        message.retry({ delaySeconds: 2 ** message.attempts });
      }
    }
  },

  async scheduled(_, bindings): Promise<void> {
    if (followed(bindings)) await open(bindings).replica().follow();
  },
} satisfies ExportedHandler<Bindings, WorkItem>;

/** The request as the client sent it: Cloudflare puts codings of its own into `Accept-Encoding`, and keeps the client's beside it. */
function asSent(request: Request): AnswerRequest {
  const { method, url, headers, body, cf } = request;
  const sent = cf?.clientAcceptEncoding;
  if (typeof sent !== 'string') return request;
  return { method, url, body, headers: { get: (name) => (name === 'accept-encoding' ? sent : headers.get(name)) } };
}

async function other(request: Request, target: string, bindings: Bindings): Promise<Response | undefined> {
  const [path = ''] = target.split('?', 1);
  switch (path) {
    case '/health':
      return Response.json({ status: 'ok' });
    case '/-/status.json':
      return Response.json({
        runtime: 'cloudflare',
        registry: bindings.REGISTRY,
        following: followed(bindings),
        feed: await open(bindings).replica().state(),
      });
    case '/work':
    case '/enqueue':
      return work(request, path, bindings);
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return undefined;
  const accepted = asSent(request).headers.get('accept-encoding') ?? undefined;
  const answer = await open(bindings).origin().answer(target, accepted);
  return answer && toResponse(answer, request.method);
}

/** `POST /work` does an item now, `POST /enqueue` puts it into the queue; both need the secret. */
async function work(request: Request, path: string, bindings: Bindings): Promise<Response> {
  const { WORK_SECRET, WORK_QUEUE } = bindings;
  const say = (status: number, error: string, headers: string[] = []) =>
    toResponse(jsonAnswer(status, { error }, headers), request.method);
  if (request.method !== 'POST') return say(405, `${request.method} is not allowed`, ['allow', 'POST']);
  if (!WORK_SECRET) return say(503, 'there is no secret to compare with: wrangler secret put WORK_SECRET');
  if (!(await isAuthorized(request.headers.get('authorization'), WORK_SECRET)))
    return say(401, 'this needs the work secret as a bearer token', ['www-authenticate', 'Bearer']);
  if (Number(request.headers.get('content-length')) > LARGEST_ITEM)
    return say(413, `an item takes ${LARGEST_ITEM} bytes at most`);
  if (path === '/enqueue' && WORK_QUEUE) return WORK_QUEUE.getByName('default').fetch(request);
  try {
    const result = await open(bindings).work(await request.json());
    return Response.json(result, { status: result.success ? 200 : 502 });
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === 'ERR_BAD_WORK_ITEM') return say(400, message);
    if (error instanceof SyntaxError) return say(400, `the body is not JSON: ${message}`);
    throw error;
  }
}
