import { type Answer, type AnswerRequest, errorAnswer, jsonAnswer, notFound } from './answer.js';
import type { HeaderLookup } from './conditional.js';
import { parseRoute, type Route } from './route.js';

type Of<Kind extends Route['kind']> = Extract<Route, { kind: Kind }>;
export type OtherRoute = Of<'keys' | 'attestations' | 'advisories' | 'search'>;

/** What answers the routes that need more than a word. */
export interface Answerers {
  document(
    route: Of<'packument' | 'version' | 'dist-tags'>,
    request: AnswerRequest,
    headers: HeaderLookup,
    target: string,
  ): Promise<Answer>;
  tarball(route: Of<'tarball'>, request: AnswerRequest, headers: HeaderLookup): Promise<Answer>;
  other(route: OtherRoute, request: AnswerRequest, headers: HeaderLookup): Promise<Answer>;
}

export interface DispatchOptions {
  /** Path under which npm's routes are answered, with slashes on both ends. */
  prefix: string;
  /** Named to those who want to publish. */
  registry: string;
  /** Hears of every answer with a status of 500 and more. */
  onFailure(target: string, status: number, error: unknown): void;
}

/** The answer to a request, whose `target` is as it was received. Never rejects: trouble is an answer with a status. */
export async function dispatch(
  answerers: Answerers,
  options: DispatchOptions,
  request: AnswerRequest,
  target: string,
): Promise<Answer> {
  try {
    const route = parseRoute(target, options.prefix);
    const allowed = route.kind === 'advisories' || route.kind === 'audits' ? 'POST' : 'GET, HEAD';
    if (!allowed.split(', ').includes(request.method)) return refuse(request.method, allowed, options.registry);
    return await answerRoute(answerers, route, request, target);
  } catch (error) {
    const answer = errorAnswer(error);
    if (answer.status >= 500) options.onFailure(target, answer.status, error);
    return answer;
  }
}

function answerRoute(
  answerers: Answerers,
  route: Route,
  request: AnswerRequest,
  target: string,
): Answer | Promise<Answer> {
  const headers: HeaderLookup = (name) =>
    request.headers.get(name) ?? (name === 'host' ? new URL(request.url).host : undefined);
  switch (route.kind) {
    case 'packument':
    case 'version':
    case 'dist-tags':
      return answerers.document(route, request, headers, target);
    case 'tarball':
      return answerers.tarball(route, request, headers);
    case 'keys':
    case 'attestations':
    case 'advisories':
    case 'search':
      return answerers.other(route, request, headers);
    case 'audits':
      // npm's answer under the two paths that it gave up in 2026: clients fall back to the other one.
      return jsonAnswer(410, { error: 'This endpoint is retired. Use /-/npm/v1/security/advisories/bulk instead.' });
    case 'root':
    case 'ping':
      return jsonAnswer(200, {});
    case 'account':
      return jsonAnswer(401, { error: 'Nobody can log in here: this is a replica, which only reads.' });
    default:
      return route.path.includes('/-/')
        ? jsonAnswer(404, { code: 'ResourceNotFound', error: `${route.path} does not exist` })
        : notFound();
  }
}

function refuse(method: string, allow: string, registry: string): Answer {
  const error =
    allow === 'POST'
      ? `${method} is not allowed`
      : `${method} is not allowed: this is a replica, which only reads. Publish to the registry itself: npm publish --registry ${registry}`;
  return jsonAnswer(405, { code: 'MethodNotAllowedError', error }, ['allow', allow]);
}

/** The request target in a URL: its path and query as they stand there. */
export function targetOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3);
  return start === -1 ? '/' : url.slice(start);
}

/** What a log says of a request that failed. */
export function failureFields(target: string, status: number, error: unknown): Record<string, unknown> {
  return { target: target.slice(0, 300), status, error: String(error) };
}
