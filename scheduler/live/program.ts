/** The same version as in package.json. */
export const PROGRAM_VERSION = "0.1.0";

/** This program and its version, as journals name it. */
export const PROGRAM = `pipe-scheduler/${PROGRAM_VERSION}`;
