import { Affine } from './affine.ts';
import { fullText, placeholderText, stubText } from './document-text.ts';
import type { Era, EraSources } from './era.ts';
import { ERA_LENGTH, makeEra } from './era.ts';
import { hashText, hex32, mix } from './hash.ts';
import { hugeText } from './huge-text.ts';
import type { Plan } from './plan.ts';
import { livePlaces, modifiedAt, planOf, versionAt, versionIndex } from './plan.ts';
import { Prose } from './prose.ts';
import { attestations } from './tarball-attestations.ts';
import { SigningKey } from './tarball-signatures.ts';
import type { Tarball, TarballSource } from './tarballs.ts';
import { namedTarballs, pooledTarballs } from './tarballs.ts';
import type { Doc, FakeOriginOptions, Form } from './types.ts';
import type { World } from './world.ts';

const PLACEHOLDER_VERSION = '0.0.1-security';

/** What `document-text.ts` needs to write one document. */
export interface Outline {
  doc: Doc;
  rev: string;
  plan: Plan;
  modified: number;
  /** `http://host:port`, the base of tarball URLs. */
  base: string;
  form: Form;
  prose: Prose;
  tarball: TarballSource;
  /** Signs what it is given, where signatures are real. */
  signer: SigningKey | undefined;
  /** Whether versions have attestations. */
  attested: boolean;
  era(index: number): Era;
}

/** Whether the registry says 404. */
export function isGone({ removed }: Doc): boolean {
  return removed === 'deleted' || removed === '404' || removed === 'silent';
}

/** Renders documents. Everything follows from the seed, the name, its changes and the base URL. */
export class Documents {
  #world: World;
  #seed: number;
  #sizes: 'long-tail' | 'small';
  #prose: Prose;
  #sources: EraSources;
  #tarballs: TarballSource;
  #real: boolean;
  #attested: boolean;
  /** The key that real signatures are made with. */
  readonly signingKey: SigningKey;

  constructor(world: World, options: FakeOriginOptions) {
    this.#world = world;
    this.#seed = options.seed;
    this.#sizes = options.sizes ?? 'long-tail';
    this.#prose = new Prose(options.seed);
    const popularity = new Affine(world.table.size, mix(options.seed ^ 0x9090));
    this.#sources = { table: world.table, popularity, prose: this.#prose };
    const source = options.tarballs === 'named' ? namedTarballs : pooledTarballs;
    this.#tarballs = source(options.seed, this.#prose, options.tarballBytes);
    this.signingKey = new SigningKey(options.seed);
    this.#real = options.signatures === 'real';
    this.#attested = options.attestations ?? false;
  }

  /** Known without rendering: a 304 costs a hash. Quotes included. */
  etag(doc: Doc, form: Form, base: string): string {
    const salt = hashText(`${base} ${form}`, doc.generation);
    return `"${hex32(hashText(doc.name, this.#seed), hashText(doc.name, ~this.#seed), salt)}"`;
  }

  modified(doc: Doc): number {
    return modifiedAt(this.plan(doc), doc);
  }

  plan(doc: Doc): Plan {
    return planOf(doc, this.#seed, this.#sizes);
  }

  /** The document's JSON text; undefined when the registry would say 404. */
  text(doc: Doc, form: Form, base: string): string | undefined {
    if (isGone(doc)) return undefined;
    const outline = this.#outline(doc, form, base);
    if (doc.removed === 'unpublished') return stubText(outline);
    if (doc.removed === 'placeholder') return placeholderText(outline);
    return fullText(outline);
  }

  /** A live document blown up to `bytes`, piece by piece. */
  huge(doc: Doc, form: Form, base: string, bytes: number): Iterable<string> {
    return hugeText(this.#outline(doc, form, base), bytes);
  }

  /** Whether the version's tarball can be fetched, and it. */
  tarball(doc: Doc, version: string): Tarball | undefined {
    const there =
      doc.removed === undefined
        ? livePlaces(this.plan(doc), doc).includes(versionIndex(this.plan(doc), version))
        : doc.removed === 'placeholder' && version === PLACEHOLDER_VERSION;
    return there ? this.#tarballs(doc.name, version) : undefined;
  }

  /** What `/-/npm/v1/attestations/…` says of a version; undefined where there is none. */
  attestations(doc: Doc, version: string): unknown {
    const tarball = this.#attested ? this.tarball(doc, version) : undefined;
    return tarball && attestations(doc.name, version, tarball.integrity, this.#prose);
  }

  latest(doc: Doc): string | undefined {
    if (doc.removed === 'placeholder') return PLACEHOLDER_VERSION;
    const plan = this.plan(doc);
    return doc.removed === undefined ? versionAt(plan, livePlaces(plan, doc).at(-1) as number) : undefined;
  }

  #outline(doc: Doc, form: Form, base: string): Outline {
    const plan = this.plan(doc);
    let current = -1;
    let era: Era | undefined;
    return {
      doc,
      plan,
      base,
      form,
      rev: this.#world.rev(doc),
      modified: modifiedAt(plan, doc),
      prose: this.#prose,
      tarball: this.#tarballs,
      signer: this.#real ? this.signingKey : undefined,
      attested: this.#attested,
      era: (index) => {
        const wanted = Math.floor(index / ERA_LENGTH);
        if (era === undefined || wanted !== current) era = makeEra(this.#sources, doc.id, plan.hash, wanted);
        current = wanted;
        return era;
      },
    };
  }
}
