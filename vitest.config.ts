import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Tests that start whole programs and wait for what these print: how long that takes is nothing that they measure. */
const PROCESSES = [
  "test/live/{command,scheduler-command,policy-command,node-command,evm-command}.test.ts",
  "test/live/nats/{node-run,server-config,tls}.test.ts",
];

/**
 * Three projects, one after the other. `unit` is everything that computes; its files share the machine, and so do those of
 * `processes`. `live` measures real time (leases, heartbeats, blocks), so its files have the machine to themselves, one at a time.
 *
 * Each run also writes its results to out/tests.json, from which .ci/run counts.
 */
export default defineConfig({
  test: {
    // Hundreds of programs are started, most of whose time is to compile the same sources.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL("out/compile-cache", import.meta.url)) },
    reporters: ["default", ["json", { outputFile: "out/tests.json" }]],
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/live/**"],
          maxWorkers: 2,
          testTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "processes",
          include: PROCESSES,
          maxWorkers: 2,
          hookTimeout: 60_000,
          testTimeout: 150_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "live",
          include: ["test/live/**/*.test.ts"],
          exclude: PROCESSES,
          fileParallelism: false,
          maxWorkers: 1,
          hookTimeout: 60_000,
          testTimeout: 150_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
