/** The part of npm's configuration library that is used here; it ships no types. */
declare module '@npmcli/config' {
  export default class Config {
    constructor(options: {
      npmPath: string;
      cwd: string;
      env: Record<string, string | undefined>;
      argv: string[];
      definitions: unknown;
      shorthands: unknown;
      flatten: unknown;
      nerfDarts: unknown;
      execPath: string;
      platform: string;
      warn?: boolean;
    });
    load(): Promise<void>;
    get(name: 'registry', where?: string): string | undefined;
    data: Map<string, { source?: string | null }>;
    getCredentialsByURI(uri: string): { token?: string; auth?: string };
  }
}

declare module '@npmcli/config/lib/definitions/index.js' {
  const npm: { definitions: unknown; shorthands: unknown; flatten: unknown; nerfDarts: unknown };
  export default npm;
}
