/** The limit: undici's dispatch, compressed bodies read and thrown away, nothing checked or stored. */
import { Agent } from 'undici';
import { forEachName, pathOf, url } from './_args.ts';

const headers = { accept: 'application/json', 'accept-encoding': 'gzip' };
let agent: Agent | undefined;

await forEachName((name, connections) => {
  agent ??= new Agent({ connections });
  const dispatcher = agent;
  return new Promise<void>((resolve, reject) => {
    dispatcher.dispatch(
      { origin: url, path: pathOf(name), method: 'GET', headers },
      {
        onRequestStart() {},
        onResponseStart() {},
        onResponseData() {},
        onResponseEnd: () => resolve(),
        onResponseError: (_controller, error) => reject(error),
      },
    );
  });
});
await agent?.close();
