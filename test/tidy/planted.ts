import { MAX_LINES, type RULES } from "./rules.ts";

/** A file that breaks one rule, or that looks as if it did. */
export interface Planted {
  readonly rule: keyof typeof RULES;
  readonly path: string;
  readonly text: string;
}

const ENGINE = "scheduler/engine/planted.ts";

function plant(rule: keyof typeof RULES, path: string, ...texts: string[]): Planted[] {
  return texts.map((text) => ({ rule, path, text }));
}

/** Each of these must be found. This file is the one that the tree's check leaves out. */
export const VIOLATIONS: readonly Planted[] = [
  ...plant(
    "pureIsPure",
    ENGINE,
    "const now = Date.now();",
    "const now = new Date();",
    "const t = performance.now();",
    "const x = Math.random();",
    'const x = Math["random"]();',
    "const { random } = globalThis.Math;",
    "setTimeout(() => {}, 1);",
    "const timer = setInterval(tick, 1);",
    "queueMicrotask(tick);",
    "const home = process.env;",
    "const settings = { process };",
    "const known = { [process.pid]: 1 };",
    "async function f() {}",
    "const f = async () => 1;",
    "class Engine { async step() {} }",
    "const x = await y;",
    "export {}; for await (const x of y) f(x);",
    "function f(): Promise<void> { return undefined as never; }",
    "interface Store { load(): Promise<string>; }",
    "type Late = PromiseLike<number>;",
    'const m = import("./races.ts");',
    "names.sort((a, b) => a.localeCompare(b));",
  ),
  ...plant("pureIsPure", "scheduler/shared/planted.ts", "const now = Date.now();"),
  ...plant("pureIsPure", "mempool/planted.ts", "const now = Date.now();"),
  ...plant("pureIsPure", "policies/planted.ts", "const now = Date.now();"),
  ...plant(
    "importsPointDown",
    ENGINE,
    'import { Effect } from "effect";',
    'import { NodeRuntime } from "@effect/platform-node";',
    'import { readFileSync } from "node:fs";',
    'import { connect } from "nats";',
    'import type { Logger } from "pino";',
    'export * from "../live/loop.ts";',
    'import type { Receipt } from "../proofs/receipt.ts";',
    'type Loop = import("../live/loop.ts").Loop;',
  ),
  ...plant(
    "importsPointDown",
    "policies/planted.ts",
    'import { Engine } from "../scheduler/engine/engine.ts";',
    'import type { Rejection } from "../mempool/rejection.ts";',
  ),
  ...plant(
    "importsPointDown",
    "mempool/planted.ts",
    'import { policyOf } from "../policies/index.ts";',
    'import { type PolicySpec, policyOf } from "../policies/index.ts";',
    'import { run } from "./evm/adapter.ts";',
    'import { noCommands } from "../scheduler/engine/commands.ts";',
    'import type { EngineConfig } from "../scheduler/engine/config.ts";',
  ),
  ...plant(
    "importsPointDown",
    "scheduler/shared/planted.ts",
    'import type { Policy } from "../../policies/policy.ts";',
  ),
  ...plant("importsPointDown", "scheduler/live/planted.ts", 'import { World } from "../../sim/world.ts";'),
  ...plant("importsPointDown", "scheduler/live/planted.ts", 'import { demo } from "../cli/demo.ts";'),
  ...plant("importsPointDown", "sim/planted.ts", 'import type { Transport } from "../scheduler/live/transport.ts";'),
  ...plant("importsPointDown", "sim/planted.ts", 'import { pino } from "pino";'),
  ...plant(
    "importsPointDown",
    "scheduler/proofs/planted.ts",
    'import { Effect } from "effect/Effect";',
    'import { Effect, Schema } from "effect";',
    'import * as effect from "effect";',
    'import type { Loop } from "../live/loop.ts";',
    'import { open } from "../live/transport.ts";',
    'export * from "effect";',
  ),
  ...plant("importsPointDown", "scheduler/engine/commands.ts", 'import { Engine } from "./engine.ts";'),
  ...plant(
    "importsPointDown",
    "scheduler/live/planted.ts",
    'import { helper } from "../../test/helper.ts";',
    'import { HttpRouter } from "effect/http";',
    'import { HttpApi } from "effect/http-api";',
    'import { startScheduler } from "../http/scheduler.ts";',
  ),
  ...plant("importsPointDown", "scheduler/http/planted.ts", 'import { demo } from "../cli/command-demo.ts";'),
  ...plant("filesAreShort", "sim/planted.ts", "\n".repeat(MAX_LINES + 1), `${"\n".repeat(MAX_LINES)}const last = 1;`),
  ...plant(
    "silencingIsExplained",
    "test/planted.ts",
    "// @ts-ignore: the types of this package are wrong",
    "// @ts-nocheck",
    "// @ts-expect-error",
    "// @ts-expect-error: wrong",
    "// biome-ignore lint/suspicious/noExplicitAny: <explanation>",
    "// biome-ignore lint/suspicious/noExplicitAny",
    "// biome-ignore-all format: odd",
  ),
  ...plant(
    "noMachinePaths",
    "docs/planted.md",
    `See ${"/"}work/main/README.md.`,
    "`cat /root/.profile`",
    'const log = "/tmp/pipe.log";',
    "file:///tmp/pipe.log",
  ),
  ...plant("nothingLeftToDo", "sim/planted.ts", "// TODO: reorgs", "// FIXME", "/* XXX */"),
  ...plant("nothingLeftToDo", "docs/planted.md", "TODO"),
  ...plant("knownFolders", "src/planted.ts", ""),
  ...plant("knownFolders", "packages/core/planted.ts", ""),
];

/** None of these may be found: they only look like a violation, or stand where the rule does not hold. */
export const INNOCENT: readonly Planted[] = [
  ...plant(
    "pureIsPure",
    ENGINE,
    "// Date.now() and await would make this depend on the machine.",
    'const reason = "await Promise, Date.now(), Math.random()";',
    "queue.process(block.performance);",
    "interface Work { process: number; crypto(): void }",
    "const x = Math.max(1, 2);",
    "for (const x of y) f(x);",
  ),
  ...plant("pureIsPure", "scheduler/live/planted.ts", "const now = Date.now();"),
  ...plant("pureIsPure", "mempool/evm/planted.ts", "async function run(): Promise<void> {}"),
  ...plant(
    "importsPointDown",
    ENGINE,
    'import { Slab } from "../shared/slab.ts";',
    'import { policyOf } from "../../policies/index.ts";',
    'import type { Rejection } from "../../mempool/rejection.ts";',
    'import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";',
    '// import { Effect } from "effect";',
  ),
  ...plant(
    "importsPointDown",
    "mempool/planted.ts",
    'import type { PolicySpec } from "../policies/policy.ts";',
    'import type { Movement } from "../scheduler/engine/commands.ts";',
  ),
  ...plant("importsPointDown", "scheduler/live/planted.ts", 'import { Engine } from "../engine/engine.ts";'),
  ...plant("importsPointDown", "scheduler/cli/planted.ts", 'import { Effect } from "effect";'),
  ...plant(
    "importsPointDown",
    "scheduler/http/planted.ts",
    'import { HttpApi } from "effect/http-api";',
    'import { pipeLayer } from "../index.ts";',
  ),
  ...plant(
    "importsPointDown",
    "scheduler/proofs/planted.ts",
    'import { createHash } from "node:crypto";',
    'import { Result, Schema } from "effect";',
    'import type { Proof } from "../live/transport.ts";',
  ),
  ...plant("importsPointDown", "sim/planted.ts", 'import { Engine } from "../scheduler/engine/engine.ts";'),
  ...plant("filesAreShort", "sim/planted.ts", "\n".repeat(MAX_LINES)),
  ...plant("filesAreShort", "docs/planted.md", "\n".repeat(MAX_LINES + 1)),
  ...plant(
    "silencingIsExplained",
    "test/planted.ts",
    "// @ts-expect-error: the planted call lacks an argument on purpose.",
    "// biome-ignore lint/suspicious/noExplicitAny: the parser returns what it was given.",
  ),
  ...plant("noMachinePaths", "docs/planted.md", "docs/work/plan.md", "https://example.org/tmp/file", "`../tmp/file`"),
  ...plant("nothingLeftToDo", "sim/planted.ts", "const todoList = [];"),
  ...plant("knownFolders", "README.md", ""),
  ...plant("knownFolders", ".ci/run", ""),
];
