import { hashText } from './hash.ts';
import type { Prose } from './prose.ts';

const PUBLISH = 'https://github.com/npm/attestation/tree/main/specs/publish/v0.1';
const PROVENANCE = 'https://slsa.dev/provenance/v1';

/** `dist.attestations`, as it stands in a document. */
export function attestationsText(base: string, name: string, version: string): string {
  const path = encodeURIComponent(name).replace(/^%40/, '@').replace(/%2F/, '%2f');
  const url = JSON.stringify(`${base}/-/npm/v1/attestations/${path}@${version}`);
  return `"attestations":{"url":${url},"provenance":{"predicateType":"${PROVENANCE}"}}`;
}

/** The attestations of one version: shaped like true ones, about the true digest, with signatures that are noise. */
export function attestations(name: string, version: string, integrity: string, prose: Prose): unknown {
  return {
    attestations: [PUBLISH, PROVENANCE].map((predicateType) => {
      const statement = {
        _type: 'https://in-toto.io/Statement/v1',
        subject: [{ name: purl(name, version), digest: { sha512: hexOf(integrity) } }],
        predicateType,
        predicate: { name, version },
      };
      const hash = hashText(`${name}@${version} ${predicateType}`, 1);
      return {
        predicateType,
        bundle: {
          mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
          verificationMaterial: { publicKey: { hint: prose.base64(hash, 43) }, tlogEntries: [] },
          dsseEnvelope: {
            payload: Buffer.from(JSON.stringify(statement)).toString('base64'),
            payloadType: 'application/vnd.in-toto+json',
            signatures: [{ sig: `${prose.base64(hash + 1, 95)}=`, keyid: '' }],
          },
        },
      };
    }),
  };
}

function purl(name: string, version: string): string {
  return `pkg:npm/${encodeURIComponent(name).replace('%2F', '/')}@${version}`;
}

function hexOf(integrity: string): string {
  return Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex');
}
