/** npm's package fetcher: `pacote.packument` with its cache, the full form. */
import pacote from 'pacote';
import { cache, forEachName, url } from './_args.ts';

await forEachName((name) => pacote.packument(`${name}@latest`, { cache, registry: `${url}/`, fullMetadata: true }));
