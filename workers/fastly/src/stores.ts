import { ConfigStore } from 'fastly:config-store';
import { KVStore } from 'fastly:kv-store';
import { SecretStore } from 'fastly:secret-store';
import { FastlyError } from './errors.js';
import type { ConfigTexts, KvStore } from './host.js';

/** The name under which all three stores are linked to the service, unless told. */
export const STORE_NAME = 'all_docs';

/** `ERR_NO_STORE`, with what to create, for a store that is not linked to the service. */
export function openKvStore(name = STORE_NAME): KvStore {
  return open('KV Store', 'kv-store', name, () => new KVStore(name) as unknown as KvStore);
}

export function openConfigStore(name = STORE_NAME): ConfigTexts {
  return open('Config Store', 'config-store', name, () => new ConfigStore(name));
}

/** The text of a secret; `ERR_NO_SECRET` where there is none. */
export async function readSecret(secret: string, name = STORE_NAME): Promise<string> {
  const store = open('Secret Store', 'secret-store', name, () => new SecretStore(name));
  const entry = await store.get(secret);
  if (entry) return entry.plaintext();
  throw new FastlyError(
    'ERR_NO_SECRET',
    `the Secret Store ${name} has no ${secret}; create it: fastly secret-store-entry create --store-id <ID> --name ${secret} --stdin`,
  );
}

function open<Store>(kind: string, command: string, name: string, make: () => Store): Store {
  try {
    return make();
  } catch (cause) {
    throw new FastlyError(
      'ERR_NO_STORE',
      `no ${kind} is linked to this service as ${name}; create it: fastly ${command} create --name ${name}; and link it: fastly resource-link create --resource-id <ID> --name ${name} --version latest --autoclone`,
      { cause },
    );
  }
}
