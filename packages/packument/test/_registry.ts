import { type EntryMetadata, MemoryStorageDriver, type StoredEntry } from '@_all_docs/cache';
import type { Transport, TransportRequest, TransportResponse } from '@_all_docs/http';
import { type Check, PackumentClient, type PackumentForm } from '@_all_docs/packument';
import { gzipSync } from 'node:zlib';

export const REGISTRY = 'https://registry.example/npm';

export const documentOf = (name: string, more: object = {}) =>
  JSON.stringify({ _id: name, _rev: '3-abc', name, time: { modified: '2025-01-02T03:04:05.678Z' }, ...more });

export function identity(text: string, status = 200, headers: Record<string, string> = {}): TransportResponse {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: new TextEncoder().encode(text),
    encoding: 'identity',
  };
}

export function gzipped(text: string, headers: Record<string, string> = {}): TransportResponse {
  return { ...identity(text, 200, headers), body: Uint8Array.from(gzipSync(text, { level: 1 })), encoding: 'gzip' };
}

export const notModified = (headers: Record<string, string> = {}) => identity('', 304, headers);
export const notFound = (status = 404) => identity('{"error":"Not found"}', status);
export const blockPage = (status: number) => identity('<!DOCTYPE html>', status, { 'content-type': 'text/html' });

/** A memory whose entries can be damaged, as a disk's can. */
class FrailDriver extends MemoryStorageDriver {
  trouble: (key: string) => Error | undefined = () => undefined;

  override async read(key: string): Promise<StoredEntry | undefined> {
    const error = this.trouble(key);
    if (error) throw error;
    return super.read(key);
  }

  override async write(key: string, entry: StoredEntry): Promise<void> {
    await super.write(key, entry);
    this.trouble = () => undefined;
  }

  override async touch(key: string, metadata: Partial<EntryMetadata>): Promise<void> {
    const entry = await super.read(key);
    if (entry) await super.write(key, { ...entry, metadata: { ...entry.metadata, ...metadata } });
  }
}

export interface Setting {
  client: PackumentClient;
  storage: FrailDriver;
  clock: { time: number; now(): number };
  requests: TransportRequest[];
  /** What the registry says from now on: each once, the last one for good. */
  say(...answers: (TransportResponse | Error)[]): void;
}

export function setUp({
  form,
  check,
  wrap = (transport) => transport,
}: {
  form?: PackumentForm;
  check?: Check;
  wrap?: (transport: Transport) => Transport;
} = {}): Setting {
  const requests: TransportRequest[] = [];
  const clock = { time: 1_750_000_000_000, now: () => clock.time };
  const storage = new FrailDriver();
  let answers: (TransportResponse | Error)[] = [];
  const transport = wrap(async (request) => {
    requests.push(request);
    const next = answers.length > 1 ? answers.shift() : answers[0];
    if (!next) throw new Error('nobody told the registry what to say');
    if (next instanceof Error) throw next;
    return next;
  });
  const client = new PackumentClient({
    env: { registry: REGISTRY, transport, clock, storage },
    ...(form ? { form } : {}),
    ...(check ? { check } : {}),
  });
  const say: Setting['say'] = (...next) => {
    answers = next;
  };
  return { client, storage, clock, requests, say };
}
