/** What a command may touch of its process: handed in, so that tests hand in their own. */
export interface Io {
  out: (text: string) => void;
  err: (text: string) => void;
  /** Whether progress goes to a person's terminal. */
  interactive: boolean;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
}
