import { DEFAULT_CONFIG } from "../../../scheduler/engine/config.ts";
import type { EngineEvent } from "../../../scheduler/engine/events.ts";
import type { CallTerms, NodeTerms } from "../../../scheduler/shared/vocabulary.ts";
import { streamFor } from "../../../sim/kernel/streams.ts";
import type { FleetBehaviour, Wait } from "../../../sim/recorded/course.ts";
import { Observer } from "../../../sim/recorded/observer.ts";
import type { Outcome } from "../../../sim/recorded/outcome.ts";
import type { Given, PreExecutionRecord, Recording } from "../../../sim/recorded/recording.ts";
import { playRecording } from "../../../sim/recorded/world.ts";

/** A made-up run, of which everything is known. */
export interface Synthetic {
  readonly seed: number;
  readonly transactions: number;
  readonly policy: Recording["config"]["policy"];
  readonly nodes: number;
  readonly slots: number;
  /** Of the nodes, those at the end of the list. */
  readonly dead: number;
  readonly ratePerS: number;
  /** Share of copies that fail on each node, and of answers that are rejected on the first one. */
  readonly failing: number;
  readonly lying: number;
  /** Whether the first node goes on when it is told to stop. */
  readonly deaf: boolean;
}

export const QUIET: Synthetic = {
  seed: 1,
  transactions: 200,
  policy: { kind: "hedge", delayMs: 400, maxCopies: 3 },
  nodes: 6,
  slots: 4,
  dead: 0,
  ratePerS: 10,
  failing: 0,
  lying: 0,
  deaf: false,
};

const STARTED_US = 1_700_000_000_000_000;
const BLOCK_US = 500_000;
const TTL_BLOCKS = 20;
const SENDERS = 8;
const REPORTS = { reportIntervalUs: 250_000, reportDelayUs: 20_000 };

/** Users, blocks and nodes; nothing has raced yet. */
export function unplayed(synthetic: Synthetic): Recording {
  const { seed, transactions, ratePerS } = synthetic;
  const stream = streamFor(seed, 0, "users");
  const given: Given[] = [];
  const preExecutions = new Map<string, PreExecutionRecord[]>();
  for (let index = 0; index < synthetic.nodes; index++) {
    given.push({ atUs: STARTED_US, event: { kind: "node-joined", node: termsOf(index, synthetic.slots) } });
  }
  for (let sender = 0; sender < SENDERS; sender++) {
    given.push({
      atUs: STARTED_US,
      event: { kind: "deposited", account: `sender-${sender}`, amountGwei: 100 * transactions },
    });
  }
  let atUs = STARTED_US + 1_000;
  for (let index = 0; index < transactions; index++) {
    atUs += Math.ceil((stream.exponential() / ratePerS) * 1e6);
    const hash = `tx-${index}`;
    const calls = Array.from({ length: stream.below(3) }, (_, call) => callOf(hash, call, 20 + stream.below(100)));
    given.push({
      atUs,
      event: {
        kind: "submitted",
        transaction: {
          hash,
          sender: `sender-${index % SENDERS}`,
          nonce: 0,
          gasPriceGwei: 1 + stream.below(100),
          ttlBlocks: TTL_BLOCKS,
          escrowGwei: 20 * calls.length,
          calls,
        },
      },
      nonceOffset: 0,
    });
    preExecutions.set(hash, [
      { answered: 0, tookUs: 500, found: { kind: "calls-discovered", calls } },
      { answered: calls.length, tookUs: 400, found: { kind: "pre-executed", readSet: [] } },
    ]);
  }
  const blocks = Math.ceil((atUs - STARTED_US) / BLOCK_US) + TTL_BLOCKS + 1;
  for (let height = 1; height <= blocks; height++) {
    const openedUs = STARTED_US + (height - 1) * BLOCK_US;
    const sealAtUs = openedUs + BLOCK_US;
    given.push({ atUs: openedUs, event: { kind: "block-opened", height, sealAtUs } });
    given.push({
      atUs: sealAtUs,
      event: { kind: "seal-requested", height, maxTransactions: 1_000, order: "gas" },
    });
    given.push({ atUs: sealAtUs, event: { kind: "block-committed", height } });
  }
  const kinds = ["node-joined", "deposited", "block-committed", "block-opened"];
  const rank = ({ event }: Given): number => (event.kind === "seal-requested" ? -1 : kinds.indexOf(event.kind));
  given.sort((a, b) => a.atUs - b.atUs || rank(a) - rank(b));
  return {
    config: { ...DEFAULT_CONFIG, seed, policy: synthetic.policy },
    startedUs: STARTED_US,
    endedUs: STARTED_US + blocks * BLOCK_US,
    given,
    preExecutions,
    copies: [],
    nodes: new Map(),
    changeReports: [],
    verifications: [],
    sampled: new Map(),
    actual: undefined as unknown as Outcome,
  };
}

function termsOf(index: number, slots: number): NodeTerms {
  return {
    id: `node-${index}`,
    key: "",
    operator: `operator-${index}`,
    region: `region-${index % 3}`,
    hardware: "modelled",
    slots,
    queueLimit: 16,
    offers: [{ model: "chat", mode: "vanilla", priceGwei: 10 + (index % 3) }],
  };
}

function callOf(hash: string, index: number, tokensOut: number): CallTerms {
  return {
    model: "chat",
    mode: "vanilla",
    digest: `${hash}/${index}`,
    inputHash: `${hash}/${index}/input`,
    tokensIn: 64,
    tokensOut,
    maxFeeGwei: 20,
    conflict: { kind: "first-valid" },
    validityBlocks: 16,
  };
}

/** Time of a copy on a node whose index is given, before its noise. */
export function expectedUs(index: number, tokens: number): number {
  return (1 + index / 10) * (30_000 + 4_000 * tokens);
}

function always(us: number): Wait {
  return { idleUs: us, computingUs: us };
}

/** Nodes that take (30 ms + 4 ms per token) × lognormal noise; the n-th is n tenths slower than the first. */
export function fleetOf({ nodes, dead, failing, lying, deaf }: Synthetic): FleetBehaviour {
  const indexOf = (node: string): number => Number(node.slice("node-".length));
  return {
    ...REPORTS,
    manner: (node) => ({
      responds: indexOf(node) < nodes - dead,
      stops: !(deaf && node === "node-0"),
      warm: ["chat"],
      reports: indexOf(node) < nodes - dead,
    }),
    course({ node, txHash, callIndex, ordinal, call }, seed) {
      const stream = streamFor(seed, ordinal, `true/${node}/${txHash}/${callIndex}`);
      const index = indexOf(node);
      const failed = stream.unit() < failing;
      const noise = Math.exp(0.3 * stream.normal());
      return {
        there: always(1_500 + 500 * stream.unit()),
        behind: always(100),
        runUs: failed ? 20_000 : expectedUs(index, call.tokensOut) * noise,
        end: failed ? "failed" : "answered",
        endBack: always(1_000 * stream.unit()),
        computes: false,
        outputs: ["right"],
        verificationUs: 2_000 + 1_000 * stream.unit(),
        rejectedBecause: index === 0 && stream.unit() < lying ? "bad-signature" : undefined,
      };
    },
  };
}

/** The made-up run as a live one would have journalled it: what the engine was told, in batches of one. */
export function lived(synthetic: Synthetic): {
  readonly batches: readonly { readonly atUs: number; readonly event: EngineEvent }[];
  readonly outcome: Outcome;
} {
  const batches: { atUs: number; event: EngineEvent }[] = [];
  const outcome = playRecording(unplayed(synthetic), {
    policy: "recorded",
    seed: synthetic.seed,
    fleet: fleetOf(synthetic),
    // Events that are told again are one reused object nowhere: each is its own.
    watch: (atUs, event) => void batches.push({ atUs, event }),
  });
  return { batches, outcome };
}

/** Observed from its journal. The engine's own seed is drawn by the play, so that the observer is told of it. */
export function recordingOf(synthetic: Synthetic): Recording {
  const seed = Math.floor(streamFor(synthetic.seed, 0, "engine").unit() * 2 ** 31);
  const observer = new Observer({ ...unplayed(synthetic).config, seed });
  for (const { atUs, event } of lived(synthetic).batches) observer.step(atUs, [event]);
  return observer.recording();
}

export { REPORTS };
