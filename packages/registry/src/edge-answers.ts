import type { Codec } from '@_all_docs/http';
import { type Answer, notFound } from './answer.js';
import { baseFor } from './base-url.js';
import { type HeaderLookup, isUnchanged } from './conditional.js';
import { bodyHeaders, commonHeaders, modifiedAt } from './document-headers.js';
import type { EdgeDocuments, OpenedDocument } from './edge-documents.js';
import { RegistryError } from './errors.js';
import { acceptsGzip, negotiateForm } from './negotiate.js';
import { etagOf, type Part } from './rendition.js';
import type { Settings } from './settings.js';

type DocumentRoute =
  | { kind: 'packument' | 'dist-tags'; name: string }
  | { kind: 'version'; name: string; wanted: string };

/** Answers for documents: what is stored goes out as it is, and a client that holds it already is told so from its metadata. */
export class EdgeAnswers {
  readonly #documents: EdgeDocuments;
  readonly #settings: Settings;
  readonly #codec: Codec | undefined;

  constructor(documents: EdgeDocuments, settings: Settings, codec: Codec | undefined) {
    this.#documents = documents;
    this.#settings = settings;
    this.#codec = codec;
  }

  /** 404 where the origin has none. Rejects with the trouble there was, `ERR_BAD_HOST` where our own URLs cannot be made. */
  async answer(route: DocumentRoute, method: string, headers: HeaderLookup): Promise<Answer> {
    const part = this.#part(route, headers);
    const base = part === 'dist-tags' ? '' : baseFor(headers, this.#settings);
    if (base === undefined) throw new RegistryError('ERR_BAD_HOST', 'the Host header names no host');
    const opened = await this.#documents.open(route.name, { part, base });
    if (!opened) return notFound(route.kind === 'version' ? `version not found: ${route.wanted}` : undefined);
    const { answer, isAsStored } = this.#describe(opened, headers);
    if (answer.status === 304 || method === 'HEAD') {
      await opened.cancel();
      return answer;
    }
    const body = isAsStored ? opened.body : await this.#plain(opened.body, opened.metadata.encoding);
    return { ...answer, body };
  }

  #part(route: DocumentRoute, headers: HeaderLookup): Part {
    if (route.kind === 'version') return `version ${route.wanted}`;
    if (route.kind === 'dist-tags') return route.kind;
    return this.#settings.form === 'full' ? negotiateForm(headers('accept')) : 'abbreviated';
  }

  /** The answer without its body, and whether that is sent as it is stored. */
  #describe(opened: OpenedDocument, headers: HeaderLookup): { answer: Answer; isAsStored: boolean } {
    const { metadata, digest, part, base } = opened;
    const { encoding, size } = metadata;
    const gzip = encoding === 'gzip' && acceptsGzip(headers('accept-encoding'));
    const variant = { part, base, gzip };
    const etag = etagOf(variant, digest);
    const modified = modifiedAt(metadata);
    const common = commonHeaders(etag, opened, this.#settings);
    const isAsStored = gzip || encoding === 'identity';
    if (isUnchanged(headers, etag, modified)) {
      return { answer: { status: 304, headers: common, body: undefined }, isAsStored };
    }
    const said = bodyHeaders(variant, modified, isAsStored ? size : undefined).concat(common);
    return { answer: { status: 200, headers: said, body: undefined }, isAsStored };
  }

  /** Unpacked while it is sent, as far as every platform can do that. */
  async #plain(
    body: OpenedDocument['body'],
    encoding: OpenedDocument['metadata']['encoding'],
  ): Promise<Answer['body']> {
    const stream = new Response(body as BodyInit);
    if (this.#codec && encoding !== 'gzip')
      return this.#codec.decode(new Uint8Array(await stream.arrayBuffer()), encoding);
    const unpacking = new DecompressionStream(encoding as CompressionFormat);
    return stream.body?.pipeThrough(unpacking as ReadableWritablePair<Uint8Array, Uint8Array>);
  }
}
