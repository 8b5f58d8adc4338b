import { registryContract } from '../contract/registry.ts';
import { serveFrom } from './_tarballs.ts';

registryContract({ name: 'Node, `_all_docs serve`', start: serveFrom });
