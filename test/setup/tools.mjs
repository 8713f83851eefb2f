/**
 * Programs of the system that the tests drive, such as a browser or a broker: finds them, or installs them with the system's package
 * manager where that is allowed. `npm test` runs this first. Where everything is there it says nothing and takes no time.
 *
 * Plain JavaScript with syntax that old versions of Node.js parse: it runs before anything is known of the machine.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** See tools.d.mts for the fields. */
export const TOOLS = {
  chromium: {
    name: "Chromium",
    variable: "PIPE_CHROMIUM",
    commands: ["chromium", "chromium-browser", "google-chrome"],
    debian: "chromium",
    purpose: "the tests of reports, in a real browser",
  },
  natsServer: {
    name: "nats-server",
    variable: "PIPE_NATS_SERVER",
    commands: ["nats-server"],
    debian: "nats-server",
    purpose: "the tests across machines, with a real broker",
  },
};

/** Long enough for a slow mirror, short enough that a dead one is noticed. */
const INSTALL_MS = 600_000;

/** The tool's path, or `undefined` where it is not installed. A path given by its variable is taken as it is. */
export function findTool(tool, environment) {
  const given = environment[tool.variable];
  if (given !== undefined && given !== "") return runnable(given) ? given : undefined;
  for (const command of tool.commands) {
    const found = onPath(command, environment);
    if (found !== undefined) return found;
  }
  return undefined;
}

function onPath(command, environment) {
  const folders = (environment.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  // Debian has nats-server among the programs of administrators, which are not on everybody's PATH.
  const besides = folders.filter((folder) => basename(folder) === "bin").map((folder) => join(dirname(folder), "sbin"));
  return [...folders, ...besides].map((folder) => join(folder, command)).find(runnable);
}

function runnable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Installs what is missing. Returns what a user has to do, or `undefined` when all is there. */
export function setUp(environment, say) {
  for (const tool of Object.values(TOOLS)) {
    if (findTool(tool, environment) !== undefined) continue;
    const given = environment[tool.variable];
    if (given)
      return `${tool.variable} is ${given}, which cannot be run. Let it be the path of ${tool.name}, or unset it.`;
    const trouble = install(tool, environment, say);
    if (trouble !== undefined) return advice(tool, trouble);
    if (findTool(tool, environment) === undefined) {
      return advice(tool, `the package ${tool.debian} is installed, but ${tool.commands.join(" or ")} is not on PATH`);
    }
  }
  return undefined;
}

function advice(tool, trouble) {
  return [
    `${tool.name} is needed for ${tool.purpose}, and ${trouble}.`,
    `Install it (on Debian and Ubuntu: apt-get install ${tool.debian}) or set ${tool.variable} to its path, then try again.`,
  ].join("\n");
}

/** What went wrong, or `undefined`. */
function install(tool, environment, say) {
  if (onPath("apt-get", environment) === undefined) return "there is no apt-get here to install it with";
  const prefix = privilege(environment);
  if (prefix === undefined) return "installing it takes root, or sudo without a password";
  say(`Installing ${tool.debian} with apt-get, for ${tool.purpose}.`);
  return (
    failure([...prefix, "apt-get", "update"], environment) ??
    failure([...prefix, "apt-get", "install", "--yes", "--no-install-recommends", tool.debian], environment)
  );
}

/** What to put before a command that only root may run; `undefined` where we may not. */
function privilege(environment) {
  if (process.getuid?.() === 0) return [];
  if (onPath("sudo", environment) === undefined) return undefined;
  return failure(["sudo", "-n", "true"], environment) === undefined ? ["sudo", "-n"] : undefined;
}

function failure([command, ...args], environment) {
  const env = { ...environment, DEBIAN_FRONTEND: "noninteractive" };
  const done = spawnSync(command, args, {
    env,
    encoding: "utf8",
    timeout: INSTALL_MS,
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (done.error !== undefined) return `\`${[command, ...args].join(" ")}\` failed: ${done.error.message}`;
  if (done.status === 0) return undefined;
  const last = done.stderr.trim().split("\n").at(-1) ?? "";
  return `\`${[command, ...args].join(" ")}\` ended with status ${done.status}: ${last}`;
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const trouble = setUp(process.env, (line) => process.stderr.write(`${line}\n`));
  if (trouble !== undefined) {
    process.stderr.write(`${trouble}\n`);
    process.exit(1);
  }
}
