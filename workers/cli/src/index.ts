/** @module The `_all_docs` command as a function of its surroundings. */
export { CliError, EXIT, exitCodeOf } from './exit.js';
export type { Io } from './io.js';
export { createProgram } from './program.js';
