import { it } from 'vitest';
import { registryContract } from '../contract/registry.ts';
import { buildCloudRunImage, startContainer } from '../servers/cloudrun.ts';
import { startGCS, whyNoGCS } from '../servers/gcs.ts';
import { removeImage, whyNoImage } from '../servers/image.ts';

const why = whyNoGCS() ?? whyNoImage();

if (why) it.skip(`the image for Cloud Run (off: ${why})`, () => {});
else
  registryContract({
    name: 'Cloud Run, its image',
    async start({ url }) {
      const image = buildCloudRunImage();
      const gcs = await startGCS();
      const env = { ...gcs.env, ALL_DOCS_BUCKET: await gcs.bucket(), ALL_DOCS_REGISTRY: url, ALL_DOCS_ORIGIN: url };
      const running = await startContainer(image, env);
      return {
        url: `${running.url}/npm`,
        async stop() {
          await running.stop();
          await gcs.stop();
          removeImage(image);
        },
      };
    },
  });
