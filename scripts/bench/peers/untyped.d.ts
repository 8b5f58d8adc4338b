/** The part of make-fetch-happen that the benchmark uses; it ships no types. */
declare module 'make-fetch-happen' {
  export default function fetch(
    url: string,
    options: {
      cachePath: string;
      headers: Record<string, string>;
      maxSockets: number;
      retry: { retries: number };
    },
  ): Promise<{ ok: boolean; status: number; buffer(): Promise<Uint8Array> }>;
}
