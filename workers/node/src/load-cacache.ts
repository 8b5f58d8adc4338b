/** npm's cacache, loaded when something is read through it: it takes longer to load than many commands take to run. */
export async function loadCacache(): Promise<typeof import('cacache')> {
  return (await import('cacache')).default;
}
