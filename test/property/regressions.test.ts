import { describe, expect, it } from "vitest";
import { engineMaker } from "../../sim/swarm/engine-machine.ts";
import { play } from "../../sim/swarm/harness.ts";
import { complaintsOf, replays } from "../support/properties.ts";
import {
  type Action,
  engineConfig,
  type Scenario,
  SMALL_SURROUNDINGS,
  type SubmitDraw,
} from "../../sim/swarm/scenario.ts";

/** Scenarios that once broke a promise, as small as they were found. */
const QUIET: Scenario = {
  ...SMALL_SURROUNDINGS,
  seed: 0,
  policy: { kind: "fixed", copies: 1 },
  placement: "least-loaded",
  budget: undefined,
  redundancyFloor: 1,
  maxCopies: 2,
  acceptTimeoutMs: 100,
  leaseMs: 1_000,
  maxPending: 200,
  maxPendingPerSender: 50,
  maxCallsPerTransaction: 4,
  maxRounds: 6,
  maxReorgDepth: 4,
  maxTransactionsPerBlock: 100,
  wakeLatenessMs: 0,
  verifierFaults: 0,
  executorFaults: 0,
  nodes: [
    {
      operator: 0,
      region: 0,
      slots: 1,
      queueLimit: 0,
      priceGwei: 1,
      models: 1,
      tee: false,
      bondGwei: 0,
      liar: false,
      label: 0,
      serviceMs: 40,
      faulty: 0,
    },
  ],
  actions: [],
};

const SUBMIT: SubmitDraw = {
  do: "submit",
  kind: "next",
  sender: 0,
  gasPriceGwei: 10,
  ttlBlocks: 6,
  declared: true,
  calls: [],
  later: [],
  reads: [],
};
const CALL = {
  model: 0,
  mode: "vanilla",
  conflict: { kind: "first-valid" },
  maxFeeGwei: 20,
  validityBlocks: 8,
  tokensOut: 16,
  reads: 0,
} as const;
const BLOCK: Action = { do: "block", maxTransactions: 8, order: "arrival", commit: true };

const CASES: readonly { readonly name: string; readonly actions: readonly Action[] }[] = [
  {
    name: "P10: the state changes while a pre-execution that reads it is under way, after a reorg",
    actions: [{ ...SUBMIT, reads: [0] }, BLOCK, { do: "revert", depth: 1 }, { do: "change-state", keys: [0] }],
  },
  {
    name: "P11: after a replacement behind a hole in a sender's nonces, expectedNonce is still the hole",
    actions: [
      SUBMIT,
      { ...SUBMIT, ttlBlocks: 1, calls: [{ ...CALL, mode: "tee", model: 1 }], declared: false },
      SUBMIT,
      BLOCK,
      { ...SUBMIT, kind: "replace" },
      { ...SUBMIT, kind: "used" },
    ],
  },
];

describe("what once went wrong", () => {
  it.each(CASES)("$name", ({ actions }) => {
    const scenario = { ...QUIET, actions };
    const maker = engineMaker(engineConfig(scenario));
    expect(complaintsOf(play(scenario, maker))).toEqual([]);
    expect(replays(scenario, maker)).toEqual([]);
  });
});
