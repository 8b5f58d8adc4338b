/** A request target in absolute form (RFC 9112, section 3.2.2), as proxies get it. */
const ABSOLUTE = /^https?:\/\/([^/?#]*)/i;

/** What a request target asks for. */
export interface Target {
  /** Path and query as written: dots, percent escapes and all. */
  path: string;
  /** The host that the target itself names; it counts in place of the Host header. */
  host: string | undefined;
}

/** `undefined` for a target of another form than a path or a URL, such as `*`. */
export function parseTarget(target: string): Target | undefined {
  if (target.startsWith('/')) return { path: target, host: undefined };
  const absolute = ABSOLUTE.exec(target);
  if (!absolute) return undefined;
  const rest = target.slice(absolute[0].length);
  return { path: rest.startsWith('/') ? rest : `/${rest}`, host: absolute[1] };
}

/** A target without its query. */
export function withoutQuery(target: string): string {
  const query = target.indexOf('?');
  return query < 0 ? target : target.slice(0, query);
}
