import { env } from 'cloudflare:workers';
import { spareNames } from './_spare-names.ts';

/** Gives a binding that nobody else in this file has. */
export function spares<Binding>(kind: 'KV' | 'R2' | 'D1'): () => Binding {
  const names = spareNames(kind);
  return () => {
    const name = names.shift();
    if (name === undefined) throw new Error(`no ${kind} binding is left: raise the number of spares`);
    return (env as unknown as Record<string, Binding>)[name] as Binding;
  };
}
