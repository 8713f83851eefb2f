import { dirname, join } from "node:path/posix";
import type { ImportStatement } from "./syntax.ts";

/** What one part of the tree may import. Paths are folders or files, relative to the root, without a slash at the end. */
interface Layer {
  readonly part: string;
  /** Parts of this repository that it may use. Its own part is always allowed. */
  readonly uses: readonly string[];
  /** Parts of which it may use the types only. */
  readonly usesTypes: readonly string[];
  /** `pure`: next to none. `quiet`: any but the live ones, of which it may use what only describes data. `live`: any. */
  readonly packages: "pure" | "quiet" | "live";
}

/** Packages that keep a pure part pure: no I/O, clock or promise inside. */
const PURE_PACKAGES = ["pure-rand"];
/** Packages that belong to live code and command-line mains. */
const LIVE_PACKAGES = /^(?:effect|@effect|pino)(?:\/|$)/;
/** What connects machines, and the one part that knows it: whoever embeds the scheduler without it does not load it. */
const WIRE_PACKAGES = /^(?:nats|@nats-io|@hpke)(?:\/|$)/;
const WIRE_PART = "scheduler/nats";
/** A shard's journal is one of the live shell's; the transport beside it knows nothing of that. */
const SHARD_PART = "scheduler/nats/shard";
/** What serves and asks over HTTP: for the one part that does, and for the command that starts it. */
const HTTP_PACKAGES = /^effect\/(?:http|http-api)$/;
const HTTP_PARTS = ["scheduler/http", "scheduler/cli"];
/** What Effect has for describing and parsing data. It runs nothing, so that the edge may use it too. */
const DATA_OF_EFFECT = new Set(["Schema", "SchemaIssue", "Result", "Option"]);

/** What leaves the engine: the one file of it that the mempool knows, by type, since the mempool fills its records. */
const COMMANDS = "scheduler/engine/commands.ts";
/** What goes between scheduler and nodes: likewise the one file of the live shell that proofs and nodes know, by type. */
const TRANSPORT = "scheduler/live/transport.ts";
const CORE = ["scheduler/shared", "mempool", "policies", "scheduler/engine", COMMANDS];
const EDGE = [...CORE, "scheduler/proofs"];
/** How long nodes take and how they fail, as formulas: what nodes in threads and modelled ones have in common. */
const BEHAVIOUR = "scheduler/node/behaviour";
/** What an operator writes about a node. The node itself does not know that there are files. */
const NODE_FILE = "scheduler/node/file";

/** The direction of imports. A file belongs to the longest part that contains it. */
export const LAYERS: readonly Layer[] = [
  { part: "scheduler/shared", uses: [], usesTypes: [], packages: "pure" },
  { part: "scheduler/fields", uses: [], usesTypes: ["scheduler/files"], packages: "pure" },
  { part: "policies", uses: ["scheduler/shared", "scheduler/fields"], usesTypes: [], packages: "pure" },
  { part: "mempool", uses: ["scheduler/shared"], usesTypes: ["policies", COMMANDS], packages: "pure" },
  { part: "mempool/evm", uses: EDGE, usesTypes: [TRANSPORT], packages: "quiet" },
  { part: COMMANDS, uses: ["scheduler/shared"], usesTypes: ["mempool", "policies"], packages: "pure" },
  { part: "scheduler/engine", uses: CORE, usesTypes: [], packages: "pure" },
  { part: "scheduler/files", uses: [...EDGE, "scheduler/fields"], usesTypes: [], packages: "quiet" },
  { part: "scheduler/proofs", uses: CORE, usesTypes: [TRANSPORT], packages: "quiet" },
  {
    part: "scheduler/registry",
    uses: [...EDGE, "scheduler/files", "scheduler/node"],
    usesTypes: [],
    packages: "quiet",
  },
  { part: BEHAVIOUR, uses: EDGE, usesTypes: [TRANSPORT], packages: "quiet" },
  { part: "scheduler/node", uses: [...EDGE, BEHAVIOUR], usesTypes: [TRANSPORT], packages: "quiet" },
  {
    part: NODE_FILE,
    uses: [...EDGE, "scheduler/fields", "scheduler/files", "scheduler/node"],
    usesTypes: [TRANSPORT],
    packages: "quiet",
  },
  { part: TRANSPORT, uses: ["scheduler/shared"], usesTypes: EDGE, packages: "quiet" },
  {
    part: "scheduler/live",
    uses: [...EDGE, TRANSPORT, "scheduler/node", BEHAVIOUR, "scheduler/registry", "scheduler/files", "mempool/evm"],
    usesTypes: [],
    packages: "live",
  },
  { part: SHARD_PART, uses: [...EDGE, WIRE_PART, "scheduler/live"], usesTypes: [], packages: "live" },
  { part: WIRE_PART, uses: [...EDGE, SHARD_PART], usesTypes: [TRANSPORT, "scheduler/node"], packages: "live" },
  { part: "sim", uses: [...EDGE, BEHAVIOUR, "scheduler/fields", "scheduler/files"], usesTypes: [], packages: "quiet" },
  {
    part: "scheduler",
    uses: [...EDGE, "scheduler/node", BEHAVIOUR, "scheduler/registry", "scheduler/files", "scheduler/live", TRANSPORT],
    usesTypes: [],
    packages: "live",
  },
  {
    part: "scheduler/http",
    uses: [...EDGE, "scheduler", "scheduler/files", "scheduler/live"],
    usesTypes: [],
    packages: "live",
  },
  {
    part: "scheduler/evm",
    uses: [...EDGE, "scheduler", "scheduler/live", "scheduler/registry", "mempool/evm"],
    usesTypes: [],
    packages: "live",
  },
  {
    part: "scheduler/cli",
    uses: [
      ...EDGE,
      "scheduler",
      "scheduler/evm",
      "scheduler/http",
      "scheduler/fields",
      "scheduler/files",
      "scheduler/node",
      BEHAVIOUR,
      NODE_FILE,
      "scheduler/registry",
      "scheduler/live",
      TRANSPORT,
      WIRE_PART,
      "mempool/evm",
      "sim",
    ],
    usesTypes: [],
    packages: "live",
  },
];

/** Parts whose code is a deterministic value machine. */
export function isPure(path: string): boolean {
  return layerOf(path)?.packages === "pure";
}

function layerOf(path: string): Layer | undefined {
  let found: Layer | undefined;
  for (const layer of LAYERS) {
    if (path !== layer.part && !path.startsWith(`${layer.part}/`)) continue;
    if (found === undefined || layer.part.length > found.part.length) found = layer;
  }
  return found;
}

/** Why the file at `path` must not have this import, or `undefined` if it may. */
export function importTrouble(path: string, statement: ImportStatement): string | undefined {
  const layer = layerOf(path);
  if (layer === undefined) return undefined;
  if (!statement.from.startsWith(".")) return packageTrouble(layer, statement);
  const target = join(dirname(path), statement.from);
  const targetPart = layerOf(target)?.part;
  if (targetPart === undefined) return `${layer.part} must not import ${target}, which is in no layer`;
  if (targetPart === layer.part || layer.uses.includes(targetPart)) return undefined;
  if (statement.typeOnly && layer.usesTypes.includes(targetPart)) return undefined;
  return `${layer.part} must not import ${statement.typeOnly ? "types from " : ""}${targetPart} (${statement.from})`;
}

function packageTrouble(layer: Layer, { from, names }: ImportStatement): string | undefined {
  if (
    layer.packages === "pure" &&
    !PURE_PACKAGES.some((allowed) => from === allowed || from.startsWith(`${allowed}/`))
  ) {
    return `${layer.part} is pure and must not import ${from}`;
  }
  if (WIRE_PACKAGES.test(from) && layer.part !== WIRE_PART && layer.part !== SHARD_PART)
    return `${from} belongs to ${WIRE_PART} alone`;
  if (HTTP_PACKAGES.test(from) && !HTTP_PARTS.includes(layer.part)) {
    return `${from} belongs to ${HTTP_PARTS.join(" and ")}, not to ${layer.part}`;
  }
  if (layer.packages !== "quiet" || !LIVE_PACKAGES.test(from)) return undefined;
  const onlyData = from === "effect" && names.length > 0 && names.every((name) => DATA_OF_EFFECT.has(name));
  return onlyData ? undefined : `${from} belongs to live code, not to ${layer.part}`;
}
