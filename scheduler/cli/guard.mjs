/**
 * Says plainly what to do when PIPE cannot run here: a Node.js that is too old, or dependencies that are not installed.
 *
 * Plain JavaScript with syntax that old versions of Node.js parse, since TypeScript would fail there before its first
 * line. It is reached in two ways: the npm scripts run it before the program, and main.ts imports it before all else, so
 * that the published command has it too. Where nothing is wrong it does nothing.
 */
import { createRequire } from "node:module";

/** The oldest Node.js that runs PIPE and its dependencies; the same as `engines` in package.json. */
export const MINIMUM_NODE = "22.19";

/**
 * What a user must do before PIPE can run, or `undefined` if nothing.
 *
 * @param {string} nodeVersion version of the running Node.js, for example "20.20.2"
 * @param {boolean} installed whether the dependencies can be resolved
 * @returns {string | undefined} one complete message, without a newline at its end
 */
export function complaint(nodeVersion, installed) {
  if (!installed) {
    return "PIPE's dependencies are not installed here. Run `npm ci` in its folder once, then try again.";
  }
  if (!atLeast(nodeVersion, MINIMUM_NODE)) {
    return [
      `PIPE needs Node.js ${MINIMUM_NODE} or newer; this is ${nodeVersion}.`,
      "In a checkout, `npm ci` has installed a newer one that npm uses by itself: say `npm start` or `npm run pipe`.",
      `Elsewhere, install Node.js ${MINIMUM_NODE} or newer from https://nodejs.org and try again.`,
    ].join("\n");
  }
  return undefined;
}

/** Compares "major.minor" numerically: as strings, "9.0" would be newer than "22.19". */
function atLeast(version, minimum) {
  const have = version.split(".").map(Number);
  const need = minimum.split(".").map(Number);
  return have[0] > need[0] || (have[0] === need[0] && have[1] >= need[1]);
}

/** `effect` stands for all dependencies: npm installs all of them or none. */
function dependenciesInstalled() {
  try {
    createRequire(import.meta.url).resolve("effect/package.json");
    return true;
  } catch {
    return false;
  }
}

const message = complaint(process.versions.node, dependenciesInstalled());
if (message !== undefined) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
