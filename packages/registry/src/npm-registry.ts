import { createStorageDriver, encodeOrigin, type StorageDriver } from '@_all_docs/cache';
import { answerAdvisories } from './advisories.js';
import { type Answer, type AnswerRequest, toResponse } from './answer.js';
import type { HeaderLookup } from './conditional.js';
import { DerivedCache } from './derived-cache.js';
import { type Answerers, type DispatchOptions, dispatch, failureFields, targetOf } from './dispatch.js';
import { DocumentAnswers } from './document-answers.js';
import { Documents } from './documents.js';
import { knownNames } from './names.js';
import { watchOrigin } from './origin.js';
import { Resources } from './resources.js';
import { answerSearch } from './search.js';
import { type Settings, settle } from './settings.js';
import { createSingleFlight } from './single-flight.js';
import { SpareStorage } from './spare-storage.js';
import { Counters, type RegistryStats } from './stats.js';
import { Summaries } from './summaries.js';
import { answerTarball } from './tarball-answers.js';
import { Tarballs } from './tarballs.js';
import type { HotAnswer, RegistryEnv, RegistryOptions } from './types.js';

/** Larger documents are not unpacked for a line of a list. */
const LARGEST_DESCRIBED = 1024 * 1024;

/**
 * The npm registry protocol over a replica, pulled through: documents in both forms, versions, tags, tarballs, search,
 * keys and attestations, audits. Nothing can be published here. {@link handle} never rejects: trouble is an answer with
 * a status, and a 404 is said only where the origin said so.
 */
export class NpmRegistry {
  readonly tarballs: Tarballs;
  readonly #host: RegistryEnv;
  /** The host's environment as the parts see it. */
  readonly #env: RegistryEnv;
  readonly #settings: Settings;
  readonly #counters: Counters;
  readonly #documents: Documents;
  readonly #summaries: Summaries;
  readonly #answers: DocumentAnswers;
  readonly #answerers: Answerers;
  readonly #dispatching: DispatchOptions;
  /** What is under way behind answers that were given. */
  readonly #behind = new Set<Promise<unknown>>();

  /** `ERR_BAD_OPTION` for options that cannot be. */
  constructor({ env, options = {} }: { env: RegistryEnv; options?: RegistryOptions }) {
    const settings = settle(options, encodeOrigin(env.registry));
    const counters = new Counters(env.logger);
    this.#counters = counters;
    const flight = env.flight ?? createSingleFlight();
    const { clock } = env;
    this.#settings = settings;
    this.#host = env;
    this.#env = {
      ...env,
      storage: spared(env, counters),
      transport: watchOrigin(env.transport, { clock, counters, offline: settings.offline }),
      waitUntil: (promise) => this.#waitUntil(promise),
    };
    const parts = { settings, counters, flight };
    const derived = new DerivedCache(this.#env, { counters, flight, limit: settings.derivedBytes });
    const documents = new Documents(this.#env, { ...parts, derived });
    const summaries = new Summaries(documents, derived, flight);
    this.#documents = documents;
    this.#summaries = summaries;
    this.#answers = new DocumentAnswers(env, { ...parts, documents, derived, summaries });
    const resources = new Resources(this.#env, parts);
    this.tarballs = new Tarballs({
      env: this.#env,
      distOf: (name, file) => summaries.distOf(name, file),
      allowedHosts: options.allowedHosts,
      offline: settings.offline,
      touch: options.touch,
    });
    this.#answerers = {
      document: (route, request, headers, target) => this.#answers.answer(route, target, request.method, headers),
      tarball: (route, request, headers) => answerTarball(this.tarballs, route, request.method, headers),
      other: (route, request, headers) => {
        switch (route.kind) {
          case 'keys':
            return resources.keys(headers);
          case 'attestations':
            return resources.attestations(route, headers);
          case 'advisories':
            return answerAdvisories(this.#env, settings, request);
          case 'search':
            return this.#search(route.query);
        }
      },
    };
    this.#dispatching = {
      prefix: settings.prefix,
      registry: env.registry,
      onFailure: (target, status, error) => this.#onFailure(target, status, error),
    };
  }

  /**
   * The answer to a request. `target` is the request target as it was received, dots and percent escapes untouched;
   * without it the path of `request.url` has to do, in which a URL library has resolved dots already.
   */
  async handle(request: Request, target = targetOf(request.url)): Promise<Response> {
    return toResponse(await this.answer(request, target), request.method);
  }

  /** {@link handle} for hosts that send bytes themselves: a `Response` costs them more than most answers. */
  answer(request: AnswerRequest, target: string): Promise<Answer> {
    return dispatch(this.#answerers, this.#dispatching, request, target);
  }

  /**
   * The answer where it is ready in memory, synchronously: documents, their tags and versions, that were sent within the
   * last second or looked up in the index within it. `undefined` for all else: then {@link handle} knows.
   */
  hot(method: string, target: string, headers: HeaderLookup): HotAnswer | undefined {
    return this.#answers.hot(method, target, headers);
  }

  /** Waits for what goes on behind answers that were given. */
  async close(): Promise<void> {
    while (this.#behind.size > 0) await Promise.allSettled(this.#behind);
  }

  stats(): RegistryStats {
    return this.#counters.read();
  }

  #search(query: string): Promise<Answer> {
    const { form } = this.#settings;
    const names = (start: string) => knownNames(this.#env, form, start);
    const { clock } = this.#env;
    const describe = async (name: string) => {
      const found = await this.#documents.peek(name);
      return found && found.metadata.size <= LARGEST_DESCRIBED ? this.#summaries.of(found) : undefined;
    };
    return answerSearch({ names, clock, describe }, query);
  }

  #onFailure(target: string, status: number, error: unknown): void {
    this.#counters.failures += 1;
    const fields = failureFields(target, status, error);
    if (status === 500) this.#env.logger?.error?.('a request failed', fields);
    else this.#env.logger?.warn?.('a request could not be answered', fields);
  }

  #waitUntil(promise: Promise<unknown>): void {
    const settled: Promise<unknown> = promise.catch(() => undefined).finally(() => this.#behind.delete(settled));
    this.#behind.add(settled);
    this.#host.waitUntil?.(settled);
  }
}

/** The storage that all parts share. */
function spared(env: RegistryEnv, counters: Counters): () => Promise<StorageDriver> {
  let spare: Promise<StorageDriver> | undefined;
  return () => {
    spare ??= createStorageDriver(env).then((driver) => new SpareStorage(driver, counters.onCacheTrouble));
    return spare;
  };
}
