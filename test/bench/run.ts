import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { engineFigures } from "./engine.bench.ts";
import { evmFigures } from "./evm.bench.ts";
import { evmProducerFigures } from "./evm-producer.bench.ts";
import { journalFigures } from "./journal.bench.ts";
import { type Figure, tableOf } from "./figure.ts";
import { placementFigures } from "./placement.bench.ts";
import { natsFigures } from "./nats.bench.ts";
import { natsRaceFigures } from "./nats-race.bench.ts";
import { nitroFigures } from "./nitro.bench.ts";
import { policyFigures } from "./policy.bench.ts";
import { shardFigures } from "./shards.bench.ts";
import { simKernelFigures } from "./sim-kernel.bench.ts";
import { simMemoryFigures } from "./sim-memory.bench.ts";
import { simWorldFigures } from "./sim-world.bench.ts";
import { snapshotFigures } from "./snapshot.bench.ts";
import { verificationFigures } from "./verification.bench.ts";
import { zkmlFigures } from "./zkml.bench.ts";

type Part = () => readonly Figure[] | Promise<readonly Figure[]>;

/** In the order in which they are measured. */
const PARTS: Readonly<Record<string, Part>> = {
  engine: engineFigures,
  evm: evmFigures,
  "evm-producer": evmProducerFigures,
  placement: placementFigures,
  journal: journalFigures,
  snapshot: snapshotFigures,
  nitro: nitroFigures,
  zkml: zkmlFigures,
  verification: verificationFigures,
  nats: natsFigures,
  "nats-race": natsRaceFigures,
  "sim-kernel": simKernelFigures,
  "sim-world": simWorldFigures,
  policy: policyFigures,
  "sim-memory": simMemoryFigures,
  shards: shardFigures,
};

/** Measured only when it is asked for: whole schedulers want a machine with more cores than the others do. */
const ON_REQUEST = new Set(["shards"]);

/**
 * `npm run bench [-- --json] [--only PART,…]`: every benchmark, or those parts, ratios beside absolutes. Nothing here is asserted:
 * machines differ.
 */
const { values } = parseArgs({ options: { json: { type: "boolean" }, only: { type: "string" } } });
const parts = values.only?.split(",") ?? Object.keys(PARTS).filter((name) => !ON_REQUEST.has(name));
const unknown = parts.find((name) => !Object.hasOwn(PARTS, name));
if (unknown !== undefined) {
  console.error(`--only: there is no part ${unknown}; there are ${Object.keys(PARTS).join(", ")}.`);
  process.exit(2);
}
const figures: Figure[] = [];
for (const name of parts) figures.push(...((await PARTS[name]?.()) ?? []));
if (values.json) console.log(JSON.stringify(figures));
else {
  console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? "unknown processor"}\n`);
  console.log(tableOf(figures));
}
