import { originOf } from '@_all_docs/http';
import { Backend } from 'fastly:backend';
import { FastlyError } from './errors.js';

/** Which backend a URL is asked by. */
export type BackendFor = (url: string) => Backend | string;

export interface BackendsOptions {
  /** Names of the service's backends, by the URLs of the hosts behind them. */
  named: Record<string, string>;
  /** Hosts without a backend get one while they are asked; a service may do that only where Fastly has allowed it. */
  dynamic: boolean;
}

/**
 * Finds backends by the hosts of URLs. `ERR_NO_BACKEND`, with what to create, for a named one that the service lacks, at
 * once; and for a host that nobody has named.
 */
export function createBackends({ named, dynamic }: BackendsOptions): BackendFor {
  const names = new Map(Object.entries(named).map(([url, name]) => [hostOf(url), name]));
  for (const [host, name] of names) {
    if (!Backend.exists(name)) throw noBackend(`there is no backend ${name}`, name, host);
  }
  return (url) => {
    const host = hostOf(url);
    const name = names.get(host);
    if (name !== undefined) return name;
    if (!dynamic) throw noBackend(`no backend leads to ${host}, and dynamic_backends is not on`, 'tarballs', host);
    return dynamicBackend(host);
  };
}

/** Scheme and host in lower case. */
function hostOf(url: string): string {
  return originOf(url).toLowerCase();
}

function dynamicBackend(origin: string): Backend {
  const { protocol, host, hostname } = new URL(origin);
  const name = `to ${origin}`;
  if (Backend.exists(name)) return Backend.fromName(name);
  const isSecure = protocol === 'https:';
  const tls = isSecure ? { sniHostname: hostname, certificateHostname: hostname } : {};
  return new Backend({ name, target: host, hostOverride: host, useSSL: isSecure, ...tls });
}

function noBackend(what: string, name: string, host: string): FastlyError {
  return new FastlyError(
    'ERR_NO_BACKEND',
    `${what}; create it: fastly backend create --name ${name} --address ${host.replace(/^https?:\/\//, '')} --version latest --autoclone`,
  );
}
