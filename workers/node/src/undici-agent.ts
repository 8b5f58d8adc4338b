import type { Agent, Dispatcher } from 'undici';

/** Kept-alive HTTP/1.1 connections, through the environment's proxy (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`) where it names one, as with npm. */
export async function createAgent(settings: Agent.Options, env: NodeJS.ProcessEnv): Promise<Dispatcher> {
  if (!usesProxy(env)) {
    // The one part of undici that is needed, from its own file: the whole of it takes three times as long to load.
    const { default: UndiciAgent } = await import('undici/lib/dispatcher/agent.js');
    return new UndiciAgent(settings);
  }
  const { EnvHttpProxyAgent } = await import('undici');
  return new EnvHttpProxyAgent(settings);
}

function usesProxy(env: NodeJS.ProcessEnv): boolean {
  return Boolean(env['HTTP_PROXY'] ?? env['http_proxy'] ?? env['HTTPS_PROXY'] ?? env['https_proxy']);
}
