import { ChangeLog } from '@_all_docs/changes';
import { EdgeOrigin, readListing } from '@_all_docs/origin/edge';
import { jsonAnswer, toResponse } from '@_all_docs/registry/edge';
import { type App, asSent } from './app.js';
import { isAuthorized } from './authorize.js';
import { type Bindings, followed } from './bindings.js';
import type { PushedListing, ShownListing } from './push/listing.js';
import type { ReplicaObject } from './replica-object.js';
import { ReplicaStore } from './replica-store.js';

const LARGEST_ITEM = 128_000;
const LARGEST_LISTING = 8_000_000;

/** The answer for what is not the registry's own: status, work, listing and feed. `undefined` for any other target. */
export async function answerOther(
  request: Request,
  target: string,
  bindings: Bindings,
  app: App,
): Promise<Response | undefined> {
  const [path = ''] = target.split('?', 1);
  if (path === '/work' || path === '/enqueue') return work(request, path, bindings, app);
  if (path === '/listing') return listing(request, bindings, app);
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
  const changes = new ChangeLog({ ordered, origin });
  const answer = await new EdgeOrigin({ storage, ordered, origin, changes }).answer(
    target,
    asSent(request).headers.get('accept-encoding') ?? undefined,
  );
  return answer && toResponse(answer, request.method);
}

type Say = (status: number, error: string, headers?: string[]) => Response;

/** Who may not do this, and why; `undefined` for who may. */
async function refusal(request: Request, { WORK_SECRET }: Bindings, methods: string, say: Say) {
  if (!methods.split(', ').includes(request.method))
    return say(405, `${request.method} is not allowed`, ['allow', methods]);
  if (!WORK_SECRET) return say(503, 'there is no secret to compare with: wrangler secret put WORK_SECRET');
  if (await isAuthorized(request.headers.get('authorization'), WORK_SECRET)) return undefined;
  return say(401, 'this needs the work secret as a bearer token', ['www-authenticate', 'Bearer']);
}

function saying({ method }: Request): Say {
  return (status, error, headers = []) => toResponse(jsonAnswer(status, { error }, headers), method);
}

/** `POST /work` does an item now, `POST /enqueue` puts it into the queue; both need the secret. */
async function work(request: Request, path: string, bindings: Bindings, app: App): Promise<Response> {
  const { WORK_QUEUE } = bindings;
  const say = saying(request);
  const refused = await refusal(request, bindings, 'POST', say);
  if (refused) return refused;
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

/** `GET /listing` tells what listing is shown, `POST /listing` takes changes and then a listing in its place. Both need the secret. */
async function listing(request: Request, bindings: Bindings, app: App): Promise<Response> {
  const say = saying(request);
  const refused = await refusal(request, bindings, 'GET, POST', say);
  if (refused) return refused;
  const { origin } = app;
  const ordered = new ReplicaStore(app.replica());
  const log = new ChangeLog({ ordered, origin });
  if (request.method === 'POST') {
    if (Number(request.headers.get('content-length')) > LARGEST_LISTING)
      return say(413, `a listing takes ${LARGEST_LISTING} bytes at most; send changes in several requests`);
    try {
      const pushed = (await request.json()) as PushedListing;
      if (pushed.origin !== origin) return say(400, `this worker replicates ${origin}, not ${pushed.origin}`);
      if (pushed.changes) await log.apply(pushed.changes);
      // The stub's own type is as deep as the values that it carries.
      const replica = app.replica() as unknown as ReplicaObject;
      if (pushed.listing) await replica.publish(pushed.listing, pushed.cursor);
    } catch (error) {
      if (error instanceof SyntaxError) return say(400, `the body is not JSON: ${error.message}`);
      if ((error as { code?: string }).code === 'ERR_BAD_SEQUENCE') return say(400, (error as Error).message);
      throw error;
    }
  }
  const shown: ShownListing = { origin, listing: await readListing(ordered, origin), head: await log.head() };
  return Response.json(shown, { headers: { 'cache-control': 'no-store' } });
}
