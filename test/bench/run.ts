import { cpus } from "node:os";
import { engineFigures } from "./engine.bench.ts";
import { evmFigures } from "./evm.bench.ts";
import { evmProducerFigures } from "./evm-producer.bench.ts";
import { journalFigures } from "./journal.bench.ts";
import { tableOf } from "./figure.ts";
import { placementFigures } from "./placement.bench.ts";
import { natsFigures } from "./nats.bench.ts";
import { natsRaceFigures } from "./nats-race.bench.ts";
import { nitroFigures } from "./nitro.bench.ts";
import { policyFigures } from "./policy.bench.ts";
import { simKernelFigures } from "./sim-kernel.bench.ts";
import { simMemoryFigures } from "./sim-memory.bench.ts";
import { simWorldFigures } from "./sim-world.bench.ts";
import { snapshotFigures } from "./snapshot.bench.ts";
import { verificationFigures } from "./verification.bench.ts";
import { zkmlFigures } from "./zkml.bench.ts";

/** `npm run bench [-- --json]`: every benchmark, ratios beside absolutes. Nothing here is asserted: machines differ. */
const figures = [
  ...engineFigures(),
  ...(await evmFigures()),
  ...(await evmProducerFigures()),
  ...placementFigures(),
  ...(await journalFigures()),
  ...(await snapshotFigures()),
  ...nitroFigures(),
  ...(await zkmlFigures()),
  ...(await verificationFigures()),
  ...(await natsFigures()),
  ...(await natsRaceFigures()),
  ...(await simKernelFigures()),
  ...simWorldFigures(),
  ...policyFigures(),
  ...simMemoryFigures(),
];
if (process.argv.includes("--json")) console.log(JSON.stringify(figures));
else {
  console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? "unknown processor"}\n`);
  console.log(tableOf(figures));
}
