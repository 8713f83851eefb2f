import { runSignature } from "../../../scheduler/proofs/signature-stage.ts";
import { serveStages } from "../../../scheduler/live/verify-serve.ts";

/**
 * A verifier with faults that proofs of their own set off: it hangs, kills its process, throws, or takes memory without end. In
 * a zero-knowledge proof the first byte is the mark, in a signature every byte.
 */
const FAULTS: Readonly<Record<string, () => void>> = {
  aa: () => {
    for (;;);
  },
  bb: () => process.exit(1),
  cc: () => {
    throw new Error("planted");
  },
  // All at once, which ends a thread's whole program; and piece by piece.
  dd: () => {
    for (const hoard: number[][] = []; ; ) hoard.push(new Array(10_000_000).fill(0.5));
  },
  ee: () => {
    for (const hoard = new Map<number, object>(); ; ) hoard.set(hoard.size, {});
  },
  ff: () => process.kill(process.pid, "SIGSEGV"),
};

serveStages({
  signature: (stage) => {
    const mark = stage.signature.slice(0, 2);
    if (stage.signature === mark.repeat(64)) FAULTS[mark]?.();
    return runSignature(stage);
  },
  dear: async (trust) => {
    const { StageRunner } = await import("../../../scheduler/proofs/stage-runner.ts");
    const runner = new StageRunner(trust);
    return {
      prepare: (rules) => runner.prepare(rules),
      run: (stage) => {
        if (stage.kind === "zk") FAULTS[stage.proof.slice(0, 2)]?.();
        return runner.run(stage);
      },
    };
  },
});
