import { answerAdvisories } from './advisories.js';
import { type Answer, type AnswerRequest, toResponse } from './answer.js';
import { type Answerers, dispatch, failureFields, pathOf } from './dispatch.js';
import { EdgeAnswers } from './edge-answers.js';
import { EdgeDocuments } from './edge-documents.js';
import type { EdgeEnv, EdgeOptions } from './edge-env.js';
import { describeDocument } from './edge-forms.js';
import { EdgeResources } from './edge-resources.js';
import { EdgeStore } from './edge-store.js';
import { EdgeTarballs } from './edge-tarballs.js';
import { watchOrigin } from './origin.js';
import { attestationsPath, KEYS_PATH } from './resource.js';
import { answerSearch } from './search.js';
import { type Settings, settle } from './settings.js';
import { answerTarball } from './tarball-answers.js';

/** Larger documents are not unpacked for a line of a list. */
const LARGEST_DESCRIBED = 64 * 1024;
/** Each thousand of them is a listing that is paid for. */
const MOST_SCANNED = 5_000;

/**
 * The npm registry protocol for runtimes at the edge, where no request may wait for another one, stores are key-value stores,
 * and CPU is counted: a document that is held costs one read, nothing is parsed, and the bytes go out as they are stored.
 * What is pulled through expires; no ledger is kept of it.
 */
export class EdgeRegistry {
  readonly #env: EdgeEnv;
  readonly #settings: Settings;
  readonly #documents: EdgeDocuments;
  readonly #answerers: Answerers;

  /** `ERR_BAD_OPTION` for options that cannot be. */
  constructor({ env, options = {} }: { env: EdgeEnv; options?: EdgeOptions }) {
    const settings = settle(options, env.registry);
    this.#env = env;
    this.#settings = settings;
    const { clock } = env;
    const counters = { originRequests: 0 };
    const transport = watchOrigin(env.transport, { clock, counters, offline: settings.offline });
    const store = new EdgeStore(env, options.keepMs);
    const parts = { settings, store, transport };
    const documents = new EdgeDocuments(env, parts);
    const answers = new EdgeAnswers(documents, settings, env.codec);
    const tarballs = new EdgeTarballs(env, { settings, store, documents, allowedHosts: options.allowedHosts });
    const resources = new EdgeResources(env, parts);
    this.#documents = documents;
    this.#answerers = {
      document: (route, { method }, headers) => answers.answer(route, method, headers),
      tarball: (route, { method }, headers) => answerTarball(tarballs, route, method, headers),
      keys: (headers) => resources.answer(KEYS_PATH, headers),
      attestations: (route, headers) => resources.answer(attestationsPath(route), headers),
      advisories: (request) => answerAdvisories({ ...env, transport }, settings, request),
      search: (query) => this.#search(query),
    };
  }

  /**
   * The answer to a request. Never rejects: trouble is an answer with a status, and a 404 is said only where the origin
   * said so. `target` is the request target as it was received; without it the path of `request.url` has to do, in which a
   * URL library has resolved dots already.
   */
  async handle(request: Request, target = pathOf(request.url)): Promise<Response> {
    return (this.#env.respond ?? toResponse)(await this.answer(request, target), request.method);
  }

  /** {@link handle} before it is a `Response`. */
  answer(request: AnswerRequest, target: string): Promise<Answer> {
    const { registry, logger } = this.#env;
    const onFailure = (at: string, status: number, error: unknown) => {
      const fields = failureFields(at, status, error);
      if (status === 500) logger?.error?.('a request failed', fields);
      else logger?.warn?.('a request could not be answered', fields);
    };
    return dispatch(this.#answerers, { prefix: this.#settings.prefix, registry, onFailure }, request, target);
  }

  /**
   * Makes the feed's news of a package true in the store: asks the registry past the caches on the way, and drops every form
   * from before. `unheld` when nothing of it is stored, `absent` when the registry has it no more and neither have we.
   * Rejects with the trouble there was.
   */
  settle(name: string): Promise<'settled' | 'absent' | 'unheld'> {
    return this.#documents.settle(name);
  }

  /** Fetches a document into the store, whether it is held or not; `false` when the registry has none. Rejects as {@link settle} does. */
  fetch(name: string): Promise<boolean> {
    return this.#documents.fetch(name);
  }

  #search(query: string): Promise<Answer> {
    const { clock, names } = this.#env;
    const describe = async (name: string) => {
      const document = await this.#documents.peek(name, LARGEST_DESCRIBED);
      return document && describeDocument(document);
    };
    const known = names ?? ((start) => this.#documents.names(start));
    return answerSearch({ names: known, describe, clock, mostScanned: MOST_SCANNED }, query);
  }
}
