import { describe, expect, it } from "vitest";
import { MachineWaits, waysThere } from "../../../sim/recorded/machine-waits.ts";
import type { CopyRecord } from "../../../sim/recorded/recording.ts";

function copy(node: string, launchedUs: number, acceptedUs: number | undefined): CopyRecord {
  return {
    txHash: "",
    callIndex: 0,
    node,
    model: "",
    mode: "vanilla",
    tokensOut: 0,
    launchedUs,
    acceptedUs,
    startedUs: acceptedUs,
    endedUs: launchedUs,
    end: "answered",
    cancelled: false,
    verdict: undefined,
    outputHash: undefined,
    value: undefined,
  };
}

describe("ways to nodes", () => {
  it("are told apart from those behind another copy, which waits for the same thing", () => {
    const copies = [
      copy("a", 0, 500),
      copy("a", 100, 500),
      copy("b", 100, 110),
      copy("a", 300, 520),
      copy("a", 600, 610),
      copy("a", 700, undefined),
    ];
    const { alone, behind } = waysThere(copies);
    expect(alone).toEqual([
      { node: "a", atUs: 0, us: 500 },
      { node: "b", atUs: 100, us: 10 },
      { node: "a", atUs: 600, us: 10 },
    ]);
    expect(behind).toEqual([
      { node: "a", atUs: 100, us: 0 },
      { node: "a", atUs: 300, us: 20 },
    ]);
  });
});

describe("waits for the machine", () => {
  const REPORT_DELAY_US = 20_000;
  const computing = [
    { node: "prover", fromUs: 2_000_000, untilUs: 2_900_000 },
    { node: "prover", fromUs: 2_400_000, untilUs: 2_500_000 },
  ];
  // Every tenth of a second a copy to each of both nodes; the prover's wait while it computes.
  const moments = Array.from({ length: 50 }, (_, index) => 100_000 * index);
  const busy = (node: string, atUs: number): boolean => node === "prover" && atUs >= 2_000_000 && atUs < 2_900_000;
  const nodes = ["prover", "other"];
  const copies = moments.flatMap((atUs) =>
    nodes.map((node) => copy(node, atUs, atUs + (busy(node, atUs) ? 80_000 : 2_000))),
  );
  const changeReports = moments.flatMap((atUs) =>
    nodes.map((node) => ({ node, atUs, us: REPORT_DELAY_US + (busy(node, atUs + REPORT_DELAY_US) ? 60_000 : 500) })),
  );
  // A report that was due anyway says nothing of the timer.
  const early = { node: "other", atUs: 1_000_000, us: 3_000 };
  const waits = new MachineWaits(
    { copies, changeReports: [early, ...changeReports] },
    { reportDelayUs: REPORT_DELAY_US, computing },
  );

  it("are those of threads that compute, and apart those of threads that do not", () => {
    for (const atUs of [0, 2_450_000, 4_000_000]) {
      for (const u of [0.01, 0.5, 0.99]) {
        expect(waits.there(atUs, u)).toEqual({ idleUs: 2_000, computingUs: 80_000 });
        expect(waits.back(atUs, u)).toEqual({ idleUs: 500, computingUs: 60_000 });
      }
    }
  });

  it("are nothing where nothing was measured, and the same where nothing was told apart", () => {
    const none = new MachineWaits({ copies: [], changeReports: [] }, { reportDelayUs: REPORT_DELAY_US, computing });
    expect(none.there(0, 0.5)).toEqual({ idleUs: 0, computingUs: 0 });
    const together = new MachineWaits(
      { copies: copies.slice(0, 4), changeReports },
      { reportDelayUs: 0, computing: [] },
    );
    expect(together.there(0, 0.5)).toEqual({ idleUs: 2_000, computingUs: 2_000 });
  });
});
