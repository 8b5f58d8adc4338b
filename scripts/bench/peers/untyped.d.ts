/** The parts of npm's libraries that the benchmark uses; they ship no types. */
declare module 'make-fetch-happen' {
  export default function fetch(
    url: string,
    options: { cachePath: string; headers: Record<string, string>; maxSockets: number; retry: { retries: number } },
  ): Promise<{ ok: boolean; status: number; buffer(): Promise<Uint8Array> }>;
}

declare module 'pacote' {
  const pacote: {
    packument(name: string, options: { cache: string; registry: string; fullMetadata: boolean }): Promise<unknown>;
  };
  export default pacote;
}
