/** What a command may touch of its process: handed in, so that tests hand in their own. */
export interface Io {
  out: (text: string) => void;
  /** The same for what is large: resolves when there is room for more. */
  write: (bytes: Uint8Array) => Promise<void>;
  err: (text: string) => void;
  /** The terminal that progress is drawn on; `undefined` when nobody sits there. */
  terminal: NodeJS.WriteStream | undefined;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
}
