/** The error that `work` ends with, thrown or rejected; fails the test by returning `undefined` when there is none. */
async function errorOf(work: () => unknown): Promise<(Error & { code?: string }) | undefined> {
  try {
    await work();
  } catch (error) {
    return error as Error & { code?: string };
  }
  return undefined;
}

export async function codeOf(work: () => unknown): Promise<string | undefined> {
  return (await errorOf(work))?.code;
}
