import { encodeOrigin } from '@_all_docs/cache';
import { type Answer, type AnswerRequest, toResponse } from './answer.js';
import { type Answerers, dispatch, failureFields, targetOf } from './dispatch.js';
import { EdgeDocuments } from './edge-documents.js';
import type { EdgeEnv, EdgeOptions } from './edge-env.js';
import { EdgeKeys } from './edge-keys.js';
import type { EdgePull } from './edge-pull.js';
import { EdgeStore } from './edge-store.js';
import { EdgeTarballs } from './edge-tarballs.js';
import { type Settings, settle } from './settings.js';
import { answerTarball } from './tarball-answers.js';

/**
 * The npm registry protocol for runtimes at the edge, where no request may wait for another one, stores are key-value stores,
 * and CPU is counted: a document that is held costs one read, nothing is parsed, and the bytes go out as they are stored.
 * What is pulled through expires; no ledger is kept of it. The code for it is loaded when it is needed first.
 */
export class EdgeRegistry {
  readonly #env: EdgeEnv;
  readonly #settings: Settings;
  readonly #answerers: Answerers;
  readonly #pull: () => Promise<EdgePull>;

  /** `ERR_BAD_OPTION` for options that cannot be. */
  constructor({ env, options = {} }: { env: EdgeEnv; options?: EdgeOptions }) {
    const { allowedHosts, keepMs } = options;
    const origin = encodeOrigin(env.registry);
    const settings = settle(options, origin);
    const keys = new EdgeKeys(origin, settings.form);
    const store = new EdgeStore(env, keys, keepMs);
    let loaded: EdgePull | undefined;
    // What is kept is what was made of the module, never a promise: no request may wait for one of another request.
    const pull = async () => {
      const module = await import('./edge-pull.js');
      loaded ??= new module.EdgePull(env, { settings, keys, store, allowedHosts });
      return loaded;
    };
    const parts = { settings, keys, store, pull };
    const documents = new EdgeDocuments(env, parts);
    const tarballs = new EdgeTarballs(env, parts);
    this.#env = env;
    this.#settings = settings;
    this.#pull = pull;
    this.#answerers = {
      document: (route, { method }, headers) => documents.answer(route, method, headers),
      tarball: (route, { method }, headers) => answerTarball(tarballs, route, method, headers),
      other: async (...asked) => (await pull()).answer(...asked),
    };
  }

  /**
   * The answer to a request. Never rejects: trouble is an answer with a status, and a 404 is said only where the origin
   * said so. `target` is the request target as it was received; without it the path of `request.url` has to do, in which a
   * URL library has resolved dots already.
   */
  async handle(request: Request, target = targetOf(request.url)): Promise<Response> {
    return toResponse(await this.answer(request, target), request.method);
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
  async settle(name: string): Promise<'settled' | 'absent' | 'unheld'> {
    return (await this.#pull()).sources.settle(name);
  }

  /** Fetches a document into the store, whether it is held or not; `false` when the registry has none. Rejects as {@link settle} does. */
  async fetch(name: string): Promise<boolean> {
    return (await this.#pull()).sources.fetch(name);
  }
}
