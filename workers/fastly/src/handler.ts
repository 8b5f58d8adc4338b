import type { ChangeSource } from '@_all_docs/origin';
import { EdgeOrigin } from '@_all_docs/origin/edge';
import {
  type Answer,
  type AnswerRequest,
  EdgeRegistry,
  errorAnswer,
  jsonAnswer,
  targetOf,
} from '@_all_docs/registry/edge';
import { bears } from './bearer.js';
import { createEnv, type FastlyEnv } from './create-env.js';
import { FastlyError } from './errors.js';
import { KvRows } from './kv-rows.js';
import { hostLogger } from './logger.js';
import { statusOf } from './status.js';
import { readSecret } from './stores.js';
import { doWork, readWork } from './work.js';

const WORK_SECRET = 'work_token';
const LISTED = /^\/(?:registry\/?)?(?:_all_docs|_changes)?$/;
/** Nothing is followed here: what was pushed is what there is. */
const noChanges: ChangeSource = {
  head: async () => undefined,
  after: async () => [],
  async *byName() {},
};

/** The answer to a request. Never rejects: what the service lacks is said by name, with a status of 500. */
export async function handle(request: Request, waitUntil: (promise: Promise<unknown>) => void): Promise<Response> {
  const target = targetOf(request.url);
  try {
    return toHost(await answer(request, target, createEnv({ waitUntil })), request.method);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    hostLogger.error('a request failed', { target: target.slice(0, 300), code, error: message });
    const said = error instanceof FastlyError ? jsonAnswer(500, { code, error: message }) : errorAnswer(error);
    return toHost(said, request.method);
  }
}

/** The same before it is the host's. Throws, or rejects with, the trouble there was. */
export function answer(request: Request, target: string, env: FastlyEnv): Answer | Promise<Answer> {
  const query = target.indexOf('?');
  const path = query === -1 ? target : target.slice(0, query);
  if (path === '/health' || path === '/livez' || path === '/readyz') {
    env.backendFor(env.registry);
    return jsonAnswer(200, { status: 'ok' });
  }
  if (path === '/-/status.json') return jsonAnswer(200, statusOf(env));
  const scheme = request.url.startsWith('https:') ? 'https' : 'http';
  const registry = new EdgeRegistry({ env, options: { ...env.settings.options, scheme } });
  if (path === '/work') return work(request, env, registry);
  // Its body is an async iterable: `platform.ts` sees to that.
  const asked = request as unknown as AnswerRequest;
  // Told of npm's routes by their prefix: a hit's first regular expression would be a twentieth of it.
  const isListed = !path.startsWith('/npm/') && LISTED.test(path);
  return isListed ? list(asked, target, env, registry) : registry.answer(asked, target);
}

/** `/`, `/_all_docs` and `/_changes`, from the listing that was pushed; the registry's answer where none was. */
async function list(request: AnswerRequest, target: string, env: FastlyEnv, registry: EdgeRegistry): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return jsonAnswer(405, { code: 'MethodNotAllowedError', error: `${request.method} is not allowed here` }, [
      'allow',
      'GET, HEAD',
    ]);
  }
  const origin = new EdgeOrigin({ ...env, ordered: new KvRows(env.storage), changes: noChanges });
  const listed = await origin.answer(target, request.headers.get('accept-encoding') ?? undefined);
  return listed ?? registry.answer(request, target);
}

async function work(request: Request, env: FastlyEnv, registry: EdgeRegistry): Promise<Answer> {
  if (request.method !== 'POST') {
    return jsonAnswer(405, { code: 'MethodNotAllowedError', error: 'send work items by POST' }, ['allow', 'POST']);
  }
  if (!(await bears(request, await readSecret(WORK_SECRET)))) {
    return jsonAnswer(401, { error: `send the secret ${WORK_SECRET}: authorization: Bearer …` }, [
      'www-authenticate',
      'Bearer',
    ]);
  }
  try {
    const results = await doWork(await readWork(request), env, registry);
    return jsonAnswer(results.every(({ success }) => success) ? 200 : 502, { results });
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === 'ERR_BAD_WORK_ITEM') return jsonAnswer(400, { code, error: message });
    throw error;
  }
}

/** An answer as this host takes it. Where its length is known it is said: the host would send the body in chunks else. */
function toHost({ status, headers, body }: Answer, method: string): Response {
  const fields: [string, string][] = [];
  let isFramed = false;
  for (let i = 0; i < headers.length; i += 2) {
    isFramed ||= headers[i] === 'content-length';
    fields.push([headers[i] as string, headers[i + 1] as string]);
  }
  const sent = method === 'HEAD' ? null : ((body ?? null) as BodyInit | null);
  return new Response(sent, { status, headers: fields, manualFramingHeaders: isFramed });
}
