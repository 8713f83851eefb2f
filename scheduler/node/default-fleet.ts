import { isHashHex } from "../proofs/digest.ts";
import { deriveSeed } from "../proofs/keys.ts";
import { assert } from "../shared/assert.ts";
import type { Mode, Offer } from "../shared/vocabulary.ts";
import type { EmbeddedNode } from "./embedded-node.ts";
import type { Fault } from "./behaviour/faults.ts";
import type { Latency, LatencyProfile } from "./behaviour/latency-profile.ts";
import { CHAT_70B_ON_A100, CHAT_70B_ON_H100, SMALL_CLASSIFIER } from "./behaviour/latency-profile.ts";

export interface FleetOptions {
  /** 1 to 64 nodes; each is a thread of about 100 MB. */
  readonly count: number;
  /**
   * Secret of the whole fleet, 32 bytes in lower-case hexadecimal; from it and the node's id each node's seeds are derived,
   * that of its key and that of its luck.
   */
  readonly seedHex: string;
  /** `modelled`: as on the hardware that the node claims. `none`: as fast as the models compute. */
  readonly latency: "modelled" | "none";
  /** `some`: of every nine nodes one is slow, dead, erroring, signing wrongly, deaf to Cancel, lying. `none`: all are honest. */
  readonly faults: "some" | "none";
}

const MAX_NODES = 64;

interface Site {
  readonly operator: string;
  readonly region: string;
  readonly hardware: string;
  readonly speed: number;
  /** What it asks for an answer by signature alone. */
  readonly prices: { readonly risk: number; readonly chat: number };
  /** In which modes it offers what. */
  readonly proves: readonly Mode[];
  readonly fault: Fault;
}

const H100 = "h100-tp8";
const A100 = "a100-tp8";
const CHAT_PROFILES: Readonly<Record<string, LatencyProfile>> = { [H100]: CHAT_70B_ON_H100, [A100]: CHAT_70B_ON_A100 };

/** Three make proofs in zero knowledge: each takes a core for a third of a second, whatever hardware the node claims. */
const ALL: readonly Mode[] = ["vanilla", "optimistic", "tee", "zkml"];
const QUICK: readonly Mode[] = ["vanilla", "optimistic", "tee"];

/**
 * Ordered so that a fleet of six keeps three honest nodes of three operators. Prices follow speed, not honesty. The one that
 * makes up its answers only offers what can be challenged.
 */
const SITES: readonly Site[] = [
  site("alder", "eu-west", H100, 1.05, [1_200, 42_000], ALL, { kind: "none" }),
  site("birch", "us-east", A100, 1, [900, 30_000], ALL, { kind: "none" }),
  site("cedar", "ap-south", H100, 0.95, [1_100, 38_000], QUICK, { kind: "slow", factor: 3 }),
  site("dogwood", "us-west", H100, 1, [1_150, 40_000], ALL, { kind: "none" }),
  site("elm", "eu-north", A100, 0.9, [800, 27_000], QUICK, { kind: "wrong-signature" }),
  site("fir", "sa-east", A100, 1.1, [950, 32_000], QUICK, { kind: "erroring", fraction: 0.5 }),
  site("ginkgo", "ap-east", H100, 1.15, [1_300, 45_000], QUICK, { kind: "never-cancels" }),
  site("hazel", "af-south", A100, 0.85, [700, 25_000], QUICK, { kind: "dead" }),
  site("ivy", "me-central", A100, 1.2, [600, 20_000], ["optimistic"], { kind: "wrong-output" }),
];

/** What a stronger guarantee costs, as a multiple of the price by signature alone; a proof takes a core, not a query. */
const MARKUP: Readonly<Record<Mode, number>> = { vanilla: 1, optimistic: 1.2, tee: 1.5, zkml: 6 };

/** Enough for a hundred answers of the risk model, or twenty of the chat model, that can be challenged at a time. */
const BOND_GWEI = 100_000_000;

function site(
  operator: string,
  region: string,
  hardware: string,
  speed: number,
  [risk, chat]: readonly [number, number],
  proves: readonly Mode[],
  fault: Fault,
): Site {
  return { operator, region, hardware, speed, prices: { risk, chat }, proves, fault };
}

/**
 * A fleet for demonstrations and tests: nodes `alder-1`, `birch-1`, …, `alder-2`, …, each of its own operator up to nine.
 * Throws a RangeError for a malformed seed.
 */
export function defaultFleet(options: FleetOptions): readonly EmbeddedNode[] {
  const { count, seedHex } = options;
  if (!isHashHex(seedHex)) throw new RangeError("a fleet's seedHex is 64 lower-case hexadecimal digits");
  assert(Number.isSafeInteger(count) && count >= 1 && count <= MAX_NODES, `a fleet has 1 to ${MAX_NODES} nodes`);
  return Array.from({ length: count }, (_, index) => {
    const at = SITES[index % SITES.length];
    assert(at !== undefined, "the list of sites is not empty");
    return nodeAt(at, Math.floor(index / SITES.length) + 1, options);
  });
}

function nodeAt(at: Site, ordinal: number, options: FleetOptions): EmbeddedNode {
  const id = `${at.operator}-${ordinal}`;
  return {
    id,
    operator: at.operator,
    region: at.region,
    hardware: at.hardware,
    slots: 4,
    queueLimit: 16,
    offers: offersAt(at),
    bondGwei: BOND_GWEI,
    speed: at.speed,
    fault: options.faults === "some" ? at.fault : { kind: "none" },
    seedHex: derivedHex(options.seedHex, `node/${id}`),
    luckHex: derivedHex(options.seedHex, `luck/${id}`),
    latency: options.latency === "none" ? { kind: "none" } : latencyOn(at.hardware),
  };
}

function derivedHex(seedHex: string, purpose: string): string {
  return Buffer.from(deriveSeed(Buffer.from(seedHex, "hex"), purpose)).toString("hex");
}

/** By mode the models that can be offered in it; in `zkml` those alone whose answers can be proved. */
function offersAt({ prices, proves }: Site): readonly Offer[] {
  return proves.flatMap((mode): readonly Offer[] => {
    const asked = (gwei: number) => Math.round(gwei * MARKUP[mode]);
    if (mode === "zkml") return [{ model: "risk-tiny", mode, priceGwei: asked(prices.risk) }];
    const risk = { model: "risk-small", mode, priceGwei: asked(prices.risk) };
    const chat = { model: "chat-mini", mode, priceGwei: asked(prices.chat) };
    return mode === "vanilla" && proves.includes("zkml")
      ? [risk, chat, { model: "risk-tiny", mode, priceGwei: prices.risk }]
      : [risk, chat];
  });
}

function latencyOn(hardware: string): Latency {
  const chat = CHAT_PROFILES[hardware];
  assert(chat !== undefined, `no latency profile for ${hardware}`);
  return { kind: "modelled", profiles: { "risk-small": SMALL_CLASSIFIER, "chat-mini": chat } };
}
