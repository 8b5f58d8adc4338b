import { once } from 'node:events';
import { ask } from '../fake-origin/client.ts';
import { buildImage, type Image, runImage } from './image.ts';
import { freePort } from './process.ts';

export interface RunningContainer {
  url: string;
  /** Everything that it has logged. */
  printed(): string;
  /** Ends it by SIGTERM, and resolves when it has. */
  stop(): Promise<void>;
}

/** The image of `workers/cloudrun/Dockerfile`. */
export function buildCloudRunImage(): Image {
  const context = new URL('../..', import.meta.url).pathname;
  return buildImage(`${context}workers/cloudrun/Dockerfile`, context);
}

/** Starts the service in its image on a free port, told by these variables, and waits until it is ready. */
export async function startContainer(image: Image, env: Record<string, string>): Promise<RunningContainer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = runImage(image, { ...env, PORT: String(port) });
  const ended = once(child, 'close');
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (text) => {
      said += text;
    });
  const stop = async () => {
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
    await ended;
    clearTimeout(late);
  };
  const isReady = () =>
    ask(url, '/readyz')
      .then(({ status }) => status === 200)
      .catch(() => false);
  for (let tries = 0; !(await isReady()); tries++) {
    if (tries === 500 || child.exitCode !== null) {
      await stop();
      throw new Error(`the service in the image is not ready: ${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { url, printed: () => said, stop };
}
