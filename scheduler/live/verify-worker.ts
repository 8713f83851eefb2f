import { runSignature } from "../proofs/signature-stage.ts";
import { serveStages } from "./verify-serve.ts";

/** The verifier's process: runs stages of judging, nothing else. Whatever a proof does to it, it does to it alone. */
serveStages({
  signature: runSignature,
  dear: async (trust) => {
    const { StageRunner } = await import("../proofs/stage-runner.ts");
    return new StageRunner(trust);
  },
});
