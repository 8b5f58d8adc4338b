import type { Churned, RemovalKind } from '../../test/fake-origin/index.ts';

/** The fake origin's steering, over its control paths: what they say is never hit by faults. */
export class OriginControl {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  /** Names and their revisions; `undefined` for those that the registry says 404 to. */
  async truth(): Promise<Map<string, string | undefined>> {
    const lines = (await this.#text('truth')).trimEnd().split('\n');
    return new Map(
      lines.map((line) => {
        const at = line.lastIndexOf(' ');
        const rev = line.slice(at + 1);
        return [line.slice(0, at), rev === '-' ? undefined : rev];
      }),
    );
  }

  /** The names on the list, in the order of their bytes. */
  async names(): Promise<string[]> {
    return (await this.#text('names')).trimEnd().split('\n');
  }

  async document(name: string): Promise<{ rev?: string; document?: { versions?: Record<string, unknown> } }> {
    return JSON.parse(await this.#text(`document?name=${encodeURIComponent(name)}`));
  }

  churn(rule: { count: number; seed: number; mix: Record<string, number> }): Promise<Churned> {
    return this.post('churn', rule) as Promise<Churned>;
  }

  remove(name: string, how: RemovalKind): Promise<{ rev: string; seq: number }> {
    return this.post('remove', { name, how }) as Promise<{ rev: string; seq: number }>;
  }

  /** The newest sequence, asked for until no fault is in the way. */
  async updateSeq(): Promise<number> {
    return ((await this.churn({ count: 0, seed: 0, mix: { publish: 1 } })) as { seq: number }).seq;
  }

  async post(verb: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.url}/-/fake/${verb}`, { method: 'POST', body: JSON.stringify(body) });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${verb}: ${JSON.stringify(answer)}`);
    return answer;
  }

  async #text(path: string): Promise<string> {
    const response = await fetch(`${this.url}/-/fake/${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return response.text();
  }
}
