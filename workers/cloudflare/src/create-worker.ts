import { errorAnswer, jsonAnswer, toResponse } from '@_all_docs/registry/edge';
import type { WorkItem, WorkResult } from '@_all_docs/worker/queues';
import { type App, asSent, createApp } from './app.js';
import { type Bindings, followed } from './bindings.js';
import type { Core } from './core.js';
import { WorkQueueObject as Queue } from './work-queue-object.js';

/** What more than the registry answers: its paths at the root are looked for here first. */
const OTHER = /^\/(?:(?:registry\/?)?(?:_all_docs|_changes)?|-\/status\.json|work|enqueue|listing)$/;

type Scheme = 'http' | 'https';

export interface Worker {
  handler: ExportedHandler<Bindings, WorkItem>;
  WorkQueueObject: typeof Queue;
}

/** A worker over the stores that `coreOf` makes of its bindings, once in an isolate; `ERR_NO_BINDING` for what nothing works without. */
export function createWorker(coreOf: (bindings: Bindings) => Core): Worker {
  /** Bindings are the same for the life of an isolate; our own URLs have the scheme that the client used. */
  const apps: Partial<Record<Scheme, App>> = {};
  let core: Core | undefined;

  function open(bindings: Bindings, url = 'https:'): App {
    const scheme: Scheme = url.startsWith('https:') ? 'https' : 'http';
    core ??= coreOf(bindings);
    apps[scheme] ??= createApp(core, bindings, scheme);
    return apps[scheme];
  }

  /** Items of `POST /enqueue` are worked on by the object's own alarms. */
  class WorkQueueObject extends Queue {
    protected override process = (item: WorkItem): Promise<WorkResult> => open(this.env).work(item);
  }

  const handler: Worker['handler'] = {
    async fetch(request, bindings): Promise<Response> {
      const target = request.url.slice(request.url.indexOf('/', 8));
      try {
        const [path = ''] = target.split('?', 1);
        if (path === '/health') return Response.json({ status: 'ok' });
        const app = open(bindings, request.url);
        const other = OTHER.test(path)
          ? await (await import('./rest.js')).answerOther(request, target, bindings, app)
          : undefined;
        return other ?? toResponse(await app.edge.answer(asSent(request), target), request.method);
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
      const { consume } = await import('./rest.js');
      await consume(batch, (item) => open(bindings).work(item));
    },

    async scheduled(_, bindings): Promise<void> {
      if (followed(bindings)) await open(bindings).replica().follow();
    },
  };
  return { handler, WorkQueueObject };
}
