/** The bytes' SHA-256 as a subresource-integrity string. For stores that compute no digest of their own. */
export async function digestOf(bytes: Uint8Array): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
  return `sha256-${btoa(String.fromCharCode(...hash))}`;
}
