/** @module What the edge needs for what it does not hold, and for what is seldom asked: loaded at first need. */
import { type Transport, webCodec } from '@_all_docs/http';
import { answerAdvisories } from './advisories.js';
import type { Answer, AnswerRequest } from './answer.js';
import type { HeaderLookup } from './conditional.js';
import type { OtherRoute } from './dispatch.js';
import type { EdgeEnv, EdgeOptions } from './edge-env.js';
import { describeDocument } from './edge-forms.js';
import type { EdgeKeys } from './edge-keys.js';
import { EdgeResources } from './edge-resources.js';
import { EdgeSources } from './edge-sources.js';
import type { EdgeStore } from './edge-store.js';
import { EdgeTarballSource } from './edge-tarball-source.js';
import { watchOrigin } from './origin.js';
import { attestationsPath, KEYS_PATH } from './resource.js';
import { answerSearch } from './search.js';
import type { Settings } from './settings.js';

/** Larger documents are not unpacked for a line of a list. */
const LARGEST_DESCRIBED = 64 * 1024;
/** Each thousand of them is a listing that is paid for. */
const MOST_SCANNED = 5_000;

export interface EdgePullParts extends Pick<EdgeOptions, 'allowedHosts'> {
  settings: Settings;
  keys: EdgeKeys;
  store: EdgeStore;
}

/** Everything that asks the origin, or reads more than one entry. */
export class EdgePull {
  readonly sources: EdgeSources;
  readonly tarballs: EdgeTarballSource;
  readonly #env: EdgeEnv;
  readonly #settings: Settings;
  readonly #transport: Transport;
  readonly #resources: EdgeResources;

  constructor(env: EdgeEnv, { settings, keys, store, allowedHosts }: EdgePullParts) {
    const { clock } = env;
    const { offline } = settings;
    const transport = watchOrigin(env.transport, { clock, counters: { originRequests: 0 }, offline });
    const parts = { settings, keys, store, transport, codec: env.codec ?? webCodec };
    this.#env = env;
    this.#settings = settings;
    this.#transport = transport;
    this.sources = new EdgeSources(env, parts);
    this.tarballs = new EdgeTarballSource(env, { settings, store, sources: this.sources, allowedHosts });
    this.#resources = new EdgeResources(env, parts);
  }

  /** The answer for what is neither a document nor a tarball. Rejects with the trouble there was. */
  answer(route: OtherRoute, request: AnswerRequest, headers: HeaderLookup): Promise<Answer> {
    switch (route.kind) {
      case 'keys':
        return this.#resources.answer(KEYS_PATH, headers);
      case 'attestations':
        return this.#resources.answer(attestationsPath(route), headers);
      case 'advisories':
        return answerAdvisories({ ...this.#env, transport: this.#transport }, this.#settings, request);
      case 'search':
        return this.#search(route.query);
    }
  }

  #search(query: string): Promise<Answer> {
    const { clock, names } = this.#env;
    const describe = async (name: string) => {
      const document = await this.sources.peek(name, LARGEST_DESCRIBED);
      return document && describeDocument(document);
    };
    const known = names ?? ((start) => this.sources.names(start));
    return answerSearch({ names: known, describe, clock, mostScanned: MOST_SCANNED }, query);
  }
}
