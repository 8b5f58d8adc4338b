import { ChangeLog } from '@_all_docs/changes';
import { EdgeOrigin } from '@_all_docs/origin/edge';
import { jsonAnswer, toResponse } from '@_all_docs/registry/edge';
import { type App, asSent } from './app.js';
import { isAuthorized } from './authorize.js';
import { type Bindings, followed } from './bindings.js';
import { ReplicaStore } from './replica-store.js';

const LARGEST_ITEM = 128_000;

/** The answer for what is not the registry's own: status, work, listing and feed. `undefined` for any other target. */
export async function answerOther(
  request: Request,
  target: string,
  bindings: Bindings,
  app: App,
): Promise<Response | undefined> {
  const [path = ''] = target.split('?', 1);
  if (path === '/work' || path === '/enqueue') return work(request, path, bindings, app);
  if (request.method !== 'GET' && request.method !== 'HEAD') return undefined;
  if (path === '/-/status.json') {
    return Response.json({
      runtime: 'cloudflare',
      registry: bindings.REGISTRY,
      following: followed(bindings),
      feed: await app.replica().state(),
    });
  }
  const { storage, origin } = app;
  const ordered = new ReplicaStore(app.replica());
  const listing = new EdgeOrigin({ storage, ordered, origin, changes: new ChangeLog({ ordered, origin }) });
  const answer = await listing.answer(target, asSent(request).headers.get('accept-encoding') ?? undefined);
  return answer && toResponse(answer, request.method);
}

/** `POST /work` does an item now, `POST /enqueue` puts it into the queue; both need the secret. */
async function work(request: Request, path: string, bindings: Bindings, app: App): Promise<Response> {
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
    const result = await app.work(await request.json());
    return Response.json(result, { status: result.success ? 200 : 502 });
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === 'ERR_BAD_WORK_ITEM') return say(400, message);
    if (error instanceof SyntaxError) return say(400, `the body is not JSON: ${message}`);
    throw error;
  }
}
